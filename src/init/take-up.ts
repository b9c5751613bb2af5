import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../linux/describe-error.ts';
import { bindMount, MNT, MS, mount, readMounts, umount } from '../linux/mount.ts';
import { type Again, BEGUN_FILE, noteBegun, readAgain, readBegun } from '../root/again.ts';
import { fetchText } from '../runes/fetch-text.ts';
import { scriptPath } from '../runes/roll/boot-choice.ts';
import { type BootLog, REPORT_DIRECTORY } from './boot-log.ts';
import { parseCommandLine } from './command-line.ts';

const COMMAND_LINE = `${REPORT_DIRECTORY}/cmdline-again`;
const BUSYBOX = '/bin/busybox';
/** A busy server takes seconds; one that is not told has this machine load the version once more, should it be ill. */
const ANSWER_MS = 10_000;
const LARGEST_SCRIPT = 64 << 10;

export const isBegunAgain = (): boolean => existsSync(BEGUN_FILE);

/**
 * Where this process took over from the shutdown of an earlier system (failing/begin-again.ts): empties /run, which outlived
 * it, and takes it away, so that what follows finds what it finds at a start of the kernel.
 * @returns what to begin with; undefined: the kernel has just started
 */
export function leaveLast(run = '/run'): Again | undefined {
  const again = readAgain();
  if (again === undefined) return undefined;
  // systemd had them all shared, and what has a shared parent cannot be moved.
  mount({ source: 'none', target: '/', flags: MS.REC | MS.PRIVATE });
  const inside = readMounts().filter(({ target }) => target.startsWith(`${run}/`));
  if (inside.length > 0)
    throw new Error(`${inside.map(({ target }) => target).join(', ')} of the system before is mounted`);
  for (const name of readdirSync(run)) rmSync(join(run, name), { recursive: true, force: true });
  umount(run, MNT.DETACH);
  return again;
}

/**
 * Begins with another command line than the kernel's: /proc/cmdline shows it from now on, to this process and to the
 * image's init. The cards lose their IPv4 addresses and keep their links, which some switches take half a minute for.
 */
export function takeUp(again: Again): void {
  const { commandLine } = again;
  noteBegun(again);
  writeFileSync(COMMAND_LINE, `${commandLine}\n`, { mode: 0o444 });
  bindMount(COMMAND_LINE, '/proc/cmdline');
  // The kernel read its own words long ago.
  const { panicSeconds } = parseCommandLine(commandLine);
  if (panicSeconds !== undefined) writeFileSync('/proc/sys/kernel/panic', String(panicSeconds));
  for (const name of readdirSync('/sys/class/net')) {
    if (name === 'lo') continue;
    const { status, stderr } = spawnSync(BUSYBOX, ['ip', '-4', 'address', 'flush', 'dev', name], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`the addresses of ${name} cannot be taken from it: ${stderr?.trim()}`);
  }
}

/**
 * Asks the boot server for this machine's boot script, as its loader does at a start by firmware: from then on the
 * server knows that the machine boots what it was told of.
 */
export async function tellServer(mac: string, log: BootLog): Promise<void> {
  const { server = '' } = readBegun() ?? {};
  try {
    await fetchText(server, scriptPath(mac), ANSWER_MS, LARGEST_SCRIPT);
  } catch (error) {
    log.warn(`the boot server does not hear that this machine boots another version: ${describeError(error)}`);
  }
}
