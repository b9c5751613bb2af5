/**
 * What Debian's signed GRUB runs on a UEFI machine that boots by network: the kernel, and the first stage for initrd. It
 * does the same with Secure Boot off: iPXE, started by GRUB, finds no network card, because GRUB holds it. Pure.
 */
import { safeWord } from './boot-script.ts';
import { firstStageWord, type WholeInitrd } from './first-stage.ts';

/** Below the directory of TFTP: GRUB's own prefix. */
export const GRUB_DIRECTORY = 'grub';

const variable = (name: string): string => `$${name}`;

/** The same for all machines. What is to start is asked for by MAC, until the server has written it. */
export function grubConfig(): string {
  return [
    '# Served by VIVER.',
    'while true; do',
    `  source /${GRUB_DIRECTORY}/mac/${variable('net_default_mac')}`,
    '  echo "VIVER: asking the server what this machine is to start"',
    '  sleep 1',
    'done',
    '',
  ].join('\n');
}

/** The MAC whose file GRUB asks for; undefined for any other path. */
export function macOfGrubPath(path: string): string | undefined {
  return /(?:^|\/)grub\/mac\/([0-9a-f]{2}(?::[0-9a-f]{2}){5})$/.exec(path)?.[1];
}

export type GrubStart =
  | {
      readonly kind: 'boot';
      readonly name: string;
      /** The kernel's command line. */
      readonly words: readonly string[];
      readonly initrd: WholeInitrd;
    }
  /** To the next boot entry of the firmware. */
  | { readonly kind: 'away'; readonly why: string }
  /** Asked again after ten seconds. */
  | { readonly kind: 'wait'; readonly why: string };

/** @param owner another cluster's first machine, whose own word comes first */
export function grubScript(start: GrubStart, owner?: string): string {
  const theirs =
    owner === undefined
      ? []
      : [
          `set root=(tftp,${safeWord(owner)})`,
          `source (tftp,${safeWord(owner)})/${GRUB_DIRECTORY}/mac/${variable('net_default_mac')}`,
        ];
  return ['# Served by VIVER.', ...theirs, ...linesOf(start), ''].join('\n');
}

function linesOf(start: GrubStart): string[] {
  if (start.kind === 'away') return [echo(start.why), 'sleep 3', 'exit'];
  if (start.kind === 'wait') return [echo(`${start.why}; asking again in 10 seconds`), 'sleep 10'];
  const { name, words, initrd } = start;
  return [
    echo(`loading the kernel of ${safeWord(name)} and the first stage`),
    // "failed" is said by GRUB itself, with what and why
    `if linux /vmlinuz ${[...words, firstStageWord(initrd)].map(safeWord).join(' ')}; then`,
    '  if initrd /first-stage.zst; then boot; fi',
    'fi',
    'sleep 5',
  ];
}

const echo = (text: string): string => `echo "VIVER: ${text.replace(/[^\w .,:;+()/@-]/g, '')}"`;
