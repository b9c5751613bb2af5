import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Program } from './kept-program.ts';
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

/**
 * Starts a program that lives as long as its plugin: it is ended with it, and when it ends by itself the plugin fails.
 * @returns how to end it before
 * @throws Error when it cannot be started
 */
export async function supervise(
  context: Pick<Context, 'defer' | 'fail' | 'log'>,
  { name, command, args, env, onLine, graceMs = GRACE_MS }: SupervisedOptions,
): Promise<{ readonly pid: number; readonly stop: () => Promise<void> }> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
  });
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      last.push(line);
      if (last.length > KEPT_LINES) last.shift();
      onLine?.(line);
    });
  }
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(new Error(`${name} cannot be started`, { cause })));
  });
  let wanted = true;
  child.once('close', (code, signal) => {
    if (wanted)
      context.fail(new Error(`${name} ended with ${signal ?? code}: ${last.join(' | ') || 'without a word'}`));
  });
  const stop = async (): Promise<void> => {
    wanted = false;
    const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
    child.kill('SIGTERM');
    await ended(child);
    clearTimeout(kill);
  };
  context.defer(stop);
  return { pid: child.pid ?? -1, stop };
}
