import type { Step } from './scenario.ts';

/** Logs root in on the serial console and leaves a shell that echoes nothing, for `run` steps. */
export const LOGIN: readonly Step[] = [
  { prompt: /login: $/, within: 300 },
  { type: 'root\n' },
  { prompt: /[#$] $/, within: 120 },
  { type: 'stty -echo; PS1=; dmesg -n 1\n' },
  { run: 'true' },
];

/** From a LOGIN's shell to a machine that switched itself off. */
export const POWER_OFF: readonly Step[] = [{ type: 'poweroff\n' }, { expect: 'power-off', within: 90 }];

export interface RootFacts {
  /** NAME, with or without @ID12. */
  readonly image?: string;
  readonly medium?: string;
  readonly device?: string;
  readonly cow?: string;
}

/** The line /init prints just before it hands over, DESIGN's "what a boot prints". */
export function rootReady(facts: RootFacts = {}): RegExp {
  const image = facts.image === undefined ? '\\S+' : facts.image.includes('@') ? facts.image : `${facts.image}@\\S+`;
  return new RegExp(
    `viver: root ready image=${image} medium=${facts.medium ?? '\\S+'} device=${facts.device ?? '\\S+'} ` +
      `cow=${facts.cow ?? '\\S+'} modules=\\d+ seconds=[0-9.]+`,
  );
}
