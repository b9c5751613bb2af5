/** Where a person may sit: the consoles that the kernel names, as far as anybody can be reached by them. */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { hasCode } from '../../linux/errno.ts';
import { terminalWorks } from '../../linux/terminal.ts';

const ACTIVE = '/sys/class/tty/console/active';

/** Opens well and reaches nobody. */
const NOBODY = new Set(['ttynull', 'ttynull0']);

/** Where a person may sit when none of the consoles that were asked for is there: the screen, the usual serial ports. */
const OTHERS = ['/dev/tty0', '/dev/ttyS0', '/dev/hvc0', '/dev/console'];

/** The consoles of a text of /sys/class/tty/console/active as devices; the one behind /dev/console is the last. */
export function consolesOf(active: string): string[] {
  const names = active.split(/\s+/).filter((name) => name !== '' && !NOBODY.has(name));
  return names.map((name) => `/dev/${name}`);
}

/** What the kernel has as consoles now, as it says it: changes when a driver brings one. */
export function activeText(): string {
  try {
    return readFileSync(ACTIVE, 'utf8');
  } catch {
    return ''; // no /sys (yet): nothing is known of any
  }
}

/** An open console. */
export interface OpenConsole {
  readonly path: string;
  readonly fd: number;
}

/** Never waits for a terminal that takes nothing, nor becomes this process's own. */
const FLAGS = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;

/** @returns undefined when there is nothing by that name, or nobody is reached by it */
export function openConsole(path: string): OpenConsole | undefined {
  let fd: number;
  try {
    fd = openSync(path, FLAGS);
  } catch {
    return undefined; // named by the kernel, and not there
  }
  if (terminalWorks(path, fd)) return { path, fd };
  closeSync(fd);
  return undefined;
}

export function isReachable(path: string): boolean {
  const opened = openConsole(path);
  if (opened !== undefined) closeSync(opened.fd);
  return opened !== undefined;
}

/** The named consoles that work; when none does, the first other place that may. Open: the caller closes them. */
export function openConsoles(active = activeText()): readonly OpenConsole[] {
  const named = consolesOf(active).flatMap((path) => openConsole(path) ?? []);
  if (named.length > 0) return named;
  for (const path of OTHERS) {
    const other = openConsole(path);
    if (other !== undefined) return [other];
  }
  return [];
}

/** At 9600 baud a line takes a tenth of a second. */
const PATIENCE_MS = 1000;
const PAUSE_MS = 5;

/** How much of a text a console took before it took nothing more for a second. */
export function writeConsole({ fd }: OpenConsole, text: string): 'written' | 'stuck' | 'gone' {
  const bytes = Buffer.from(text);
  let untilMs = performance.now() + PATIENCE_MS;
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(fd, bytes, written);
      untilMs = performance.now() + PATIENCE_MS;
    } catch (error) {
      if (!hasCode(error, 'EAGAIN')) return 'gone';
      if (performance.now() > untilMs) return 'stuck';
      pauseThread(PAUSE_MS);
    }
  }
  return 'written';
}

/** Stops this thread: only where nothing else of it may run. */
export function pauseThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
