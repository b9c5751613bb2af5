import { existsSync, readFileSync, rmSync } from 'node:fs';
import { BootFailure } from '../failing/failure.ts';

/** What a person can say at the rescue prompt by `keep WORD` (initrd/bin/keep) when kept changes cannot be used. */
const CHOICES = {
  ram: 'go on this time with changes in RAM, which are gone at power-off; what was kept stays as it is',
  repair: 'let e2fsck mend all it can, then go on with what was kept',
  full: 'go on with what was kept although it is full, to delete something',
  new: 'throw away what was kept on this medium and begin anew',
} as const;
export type KeepChoice = keyof typeof CHOICES;

export const CHOICE_FILE = '/run/viver/keep';

/** The choice that was left at the prompt. */
export function readChoice(file = CHOICE_FILE): KeepChoice | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8').trim();
  return isChoice(text) ? text : undefined;
}

/** Takes it up: it holds for one try. */
export function takeChoice(file = CHOICE_FILE): KeepChoice | undefined {
  const choice = readChoice(file);
  rmSync(file, { force: true });
  return choice;
}

function isChoice(word: string): word is KeepChoice {
  return Object.hasOwn(CHOICES, word);
}

/** Kept changes that cannot be used: why, and what a person can choose. Nothing was written to RAM instead. */
export function keepFailure(
  why: string,
  details: {
    readonly choices: readonly KeepChoice[];
    readonly saw?: readonly string[];
    readonly first?: readonly string[];
    readonly cause?: unknown;
  },
): BootFailure {
  return new BootFailure(`viver.cow=keep: ${why}`, {
    saw: details.saw ?? [],
    tryThis: [
      ...(details.first ?? []),
      ...details.choices.map((word) => `'keep ${word}', then 'exit': ${CHOICES[word]}`),
    ],
    cause: details.cause,
  });
}
