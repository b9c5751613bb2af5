import { execFile } from 'node:child_process';
import { KEEP_LABEL } from './mark.ts';

/** e2fsprogs of the initrd (initrd/binaries.list). */
const MKE2FS = '/usr/sbin/mke2fs';
const E2FSCK = '/usr/sbin/e2fsck';
/** So many of its last lines say what a program came to. */
const TOLD_LINES = 6;

export interface ToolEnd {
  /** Exit status; undefined when it was killed or could not be started. */
  readonly status: number | undefined;
  readonly lines: readonly string[];
}

/** Runs a program to its end; may be replaced in tests. */
export type RunTool = (program: string, args: readonly string[]) => Promise<ToolEnd>;

export const runTool: RunTool = (program, args) =>
  new Promise((resolve) => {
    const env = { PATH: '/bin:/sbin:/usr/bin:/usr/sbin', MKE2FS_SKIP_PROGRESS: '1' };
    execFile(program, [...args], { env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const said = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined;
      resolve({ status, lines: status === undefined ? [...said, error?.message ?? ''] : said });
    });
  });

export type FsckVerdict =
  | { readonly sound: true; readonly note: string }
  | { readonly sound: false; readonly why: string; readonly lines: readonly string[] };

/** What e2fsck's exit status means (e2fsck(8), "EXIT CODE": bits). Pure. */
export function judgeFsck({ status, lines }: ToolEnd): FsckVerdict {
  const told = lines.slice(-TOLD_LINES);
  if (status === 0) return { sound: true, note: 'clean' };
  if (status === undefined) return { sound: false, why: 'e2fsck did not come to its end', lines: told };
  if (status === 1 || status === 2 || status === 3) return { sound: true, note: 'mended by e2fsck' };
  const why = (status & 8) !== 0 ? 'e2fsck cannot read it' : 'e2fsck finds damage that it does not mend unasked';
  return { sound: false, why, lines: told };
}

/** Replays the journal and mends what is safe to mend, as at any boot (`-p`); `repair` mends all it can. */
export async function checkExt4(device: string, repair: boolean, run: RunTool = runTool): Promise<FsckVerdict> {
  const end = await run(E2FSCK, repair ? ['-f', '-y', device] : ['-p', device]);
  return judgeFsck(end);
}

/**
 * Makes the file system for kept changes.
 * @throws Error with what mke2fs said
 */
export async function makeExt4(device: string, run: RunTool = runTool): Promise<void> {
  // No space kept back for root, who is nearly all that writes here. No discard: many a stick takes minutes for it.
  const options = [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-L',
    KEEP_LABEL,
    '-b',
    '4096',
    '-m',
    '0',
    '-E',
    'nodiscard,lazy_itable_init=1',
  ];
  const { status, lines } = await run(MKE2FS, [...options, device]);
  if (status !== 0) throw new Error(`mke2fs ${device}: ${lines.slice(-2).join(' ') || `status ${status}`}`);
}
