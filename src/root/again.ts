import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { hasCode } from '../linux/errno.ts';

/**
 * A start without firmware: at the end of a shutdown, where the machine would be reset, the initramfs that the machine
 * was booted by begins anew, with another command line. The kernel goes on, and with it what is loaded into it. This file
 * asks for it; it is written just before the shutdown begins, on the file system that outlives it.
 */
export const AGAIN_FILE = '/run/viver/again';

/** Says that this system began so: by whom, and how long the kernel had run. */
export const BEGUN_FILE = '/run/viver/begun-again';

/**
 * In the initramfs: what the daemon below the root has of the image in memory goes from one system to the next
 * (kit/field/carried.ts).
 */
export const CARRIED = '/carried';

/** What is left of an hour's old wish is none: whoever restarts the machine then wants its firmware. */
const GOOD_FOR_SECONDS = 600;
/** COMMAND_LINE_SIZE of x86 (arch/x86/include/asm/setup.h): longer ones no kernel would have had. */
const LONGEST = 2048;

/** What the machine is to begin anew with. */
export interface Again {
  /** The boot server's address, that it is told when the machine does begin. */
  readonly server: string;
  readonly commandLine: string;
}

/** @throws Error for what no kernel could be given */
export function askAgain(again: Again, path = AGAIN_FILE): void {
  const text = `${Math.floor(uptime())} ${again.server} ${again.commandLine}\n`;
  if (parseAgain(text, uptime()) === undefined)
    throw new Error(`no command line: ${JSON.stringify(text.slice(0, 80))}`);
  writeFileSync(path, text, { mode: 0o600 });
}

/** The shutdown was not begun. */
export function forgetAgain(path = AGAIN_FILE): void {
  rmSync(path, { force: true });
}

/** What is asked for; undefined: nothing. @throws the system's error, when the file cannot be read */
export function readAgain(path = AGAIN_FILE, upSeconds = uptime()): Again | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  return parseAgain(text, upSeconds);
}

/** Pure. */
export function parseAgain(text: string, upSeconds: number): Again | undefined {
  const [, asked = '', server = '', commandLine = ''] = /^(\d{1,12}) ([0-9a-f.:]{2,45}) (.*)\n$/.exec(text) ?? [];
  const age = upSeconds - Number(asked);
  const isGood = asked !== '' && age > -1 && age < GOOD_FOR_SECONDS;
  return isGood && isCommandLine(commandLine) ? { server, commandLine } : undefined;
}

/** This system has begun. */
export function noteBegun({ server }: Again, path = BEGUN_FILE): void {
  writeFileSync(path, `${server} ${uptime()}\n`);
}

/** Undefined: by a start of the kernel. */
export function readBegun(path = BEGUN_FILE): { readonly server: string; readonly atSeconds: number } | undefined {
  try {
    const [server = '', at] = readFileSync(path, 'utf8').trim().split(' ');
    return { server, atSeconds: Number(at) };
  } catch {
    return undefined;
  }
}

/** How long this system has run, however it began. */
export const systemSeconds = (): number => uptime() - (readBegun()?.atSeconds ?? 0);

const isCommandLine = (text: string): boolean => text.length < LONGEST && /^[!-~]+( [!-~]+)*$/.test(text);
