import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../linux/errno.ts';
import type { Program } from '../kept-program.ts';
import type { Context } from './plugin.ts';

export interface SupervisedOptions extends Program {
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Each line it prints. */
  readonly onLine?: (line: string) => void;
  /** How long it may take to end after SIGTERM, before SIGKILL. */
  readonly graceMs?: number;
}

const GRACE_MS = 5000;
/** The last words of a program are told when it fails. */
const KEPT_LINES = 5;

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) resolve();
    else child.once('exit', () => resolve());
  });
}

/** Processes whose command line has this word. */
function processesWith(word: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(word) ? [Number(name)] : [];
    } catch (error) {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return []; // it has ended
      throw error;
    }
  });
}

const LEFTOVER_POLL_MS = 50;

/**
 * Ends what a `viver runes` that died left running, so that its ports are free: programs started with `word`, which only
 * VIVER's are.
 */
export async function endLeftovers(word: string, patienceMs = GRACE_MS): Promise<void> {
  const endMs = performance.now() + patienceMs;
  for (let left = processesWith(word); left.length > 0; left = processesWith(word)) {
    const isLate = performance.now() > endMs;
    for (const pid of left) {
      try {
        process.kill(pid, isLate ? 'SIGKILL' : 'SIGTERM');
      } catch (error) {
        if (!hasCode(error, 'ESRCH')) throw error;
      }
    }
    await sleep(LEFTOVER_POLL_MS);
  }
}

/** What a program was started with, and how it is called. */
export interface StartedProgram {
  readonly name: string;
  readonly child: ChildProcess;
}

/**
 * Starts a program; nobody looks after it yet.
 * @param stdin `pipe`: it waits for something that is told by its standard input
 * @throws Error when it cannot be started
 */
export async function startProgram(
  { name, command, args, env }: Pick<SupervisedOptions, 'name' | 'command' | 'args' | 'env'>,
  stdin: 'ignore' | 'pipe' = 'ignore',
): Promise<StartedProgram> {
  const child = spawn(command, args, {
    stdio: [stdin, 'pipe', 'pipe'],
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(new Error(`${name} cannot be started`, { cause })));
  });
  return { name, child };
}

/** Ends it; SIGKILL after `graceMs`. */
export async function endProgram({ child }: StartedProgram, graceMs = GRACE_MS): Promise<void> {
  const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
  child.kill('SIGTERM');
  await ended(child);
  clearTimeout(kill);
}

/**
 * From now on the program lives as long as the plugin: it is ended with it, and when it ends by itself the plugin fails.
 * @returns how to end it before
 */
export function lookAfter(
  context: Pick<Context, 'defer' | 'fail' | 'log'>,
  program: StartedProgram,
  { onLine, graceMs = GRACE_MS }: Pick<SupervisedOptions, 'onLine' | 'graceMs'>,
): { readonly pid: number; readonly stop: () => Promise<void> } {
  const { name, child } = program;
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      last.push(line);
      if (last.length > KEPT_LINES) last.shift();
      onLine?.(line);
    });
  }
  let wanted = true;
  child.once('close', (code, signal) => {
    if (wanted)
      context.fail(new Error(`${name} ended with ${signal ?? code}: ${last.join(' | ') || 'without a word'}`));
  });
  const stop = async (): Promise<void> => {
    wanted = false;
    await endProgram(program, graceMs);
  };
  context.defer(stop);
  return { pid: child.pid ?? -1, stop };
}

/**
 * Starts a program that lives as long as its plugin: startProgram, then lookAfter.
 * @throws Error when it cannot be started
 */
export async function supervise(
  context: Pick<Context, 'defer' | 'fail' | 'log'>,
  options: SupervisedOptions,
): Promise<{ readonly pid: number; readonly stop: () => Promise<void> }> {
  return lookAfter(context, await startProgram(options), options);
}
