import { readdirSync, readFileSync } from 'node:fs';

/** What a shutdown wants to know of a process. */
export interface ProcessEntry {
  readonly pid: number;
  /** Its first argument, the name it goes by. */
  readonly name: string;
  /** A daemon that the root's storage depends on (systemd's ROOT_STORAGE_DAEMONS page): its name begins with `@`. */
  readonly storage: boolean;
}

/** Every process in user space; kernel threads have no arguments. */
export function readProcesses(proc = '/proc'): readonly ProcessEntry[] {
  return readdirSync(proc).flatMap((directory) => {
    if (!/^\d+$/.test(directory)) return [];
    const [name = ''] = argumentsOf(`${proc}/${directory}/cmdline`).split('\0');
    return name === '' ? [] : [{ pid: Number(directory), name, storage: name.startsWith('@') }];
  });
}

function argumentsOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // ended since the directory was read
  }
}

export interface EndOptions {
  /** How long they may take after SIGTERM before SIGKILL comes. */
  readonly graceMs: number;
  readonly list?: () => readonly ProcessEntry[];
  readonly kill?: (pid: number, signal: NodeJS.Signals) => void;
}

const POLL_MS = 20;
/** After SIGKILL only a process in the middle of I/O is left, which nothing can be done about. */
const KILLED_GRACE_MS = 1000;

/**
 * Ends every process that `which` names, but never this one nor PID 1.
 * @returns those still there at the end
 */
export async function endProcesses(
  which: (entry: ProcessEntry) => boolean,
  { graceMs, list = readProcesses, kill = killIfThere }: EndOptions,
): Promise<readonly ProcessEntry[]> {
  const left = () => list().filter((entry) => entry.pid !== process.pid && entry.pid !== 1 && which(entry));
  for (const [signal, waitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', KILLED_GRACE_MS],
  ] as const) {
    for (const { pid } of left()) kill(pid, signal);
    const until = performance.now() + waitMs;
    while (left().length > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return left();
}

function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
