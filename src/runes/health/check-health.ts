import { spawn } from 'node:child_process';
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../linux/errno.ts';

/** How a program ended: its exit status (null: by a signal, or not in time) and its last words. */
export interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** What is looked at; a test gives its own. */
export interface HealthSystem {
  /** systemd runs as process 1. */
  readonly hasSystemd: boolean;
  /** Programs of the image that say whether it is healthy, in their order. */
  checks(): readonly string[];
  run(command: readonly string[], timeoutMs: number): Promise<Ended>;
  /** Plugins of this machine that do not run, of those that others depend on. */
  down(): readonly string[];
}

export const CHECKS_DIRECTORY = '/etc/viver/healthy.d';
const SYSTEMCTL_MS = 20_000;
/** boot-complete.target waits for what the image requires of it. */
const BOOT_COMPLETE_MS = 120_000;
const CHECK_MS = 60_000;
const LONGEST_OUTPUT = 4096;

/**
 * Whether this machine's system has come up well: its services have started (systemd's own state, and boot-complete.target,
 * systemd.special(7)), it can be reached, and every program in /etc/viver/healthy.d ends with status 0.
 * @returns what is missing; undefined when nothing is
 */
export async function whyNotHealthy(system: HealthSystem): Promise<string | undefined> {
  const down = system.down();
  if (down.length > 0) return `${down.join(', ')} ${down.length === 1 ? 'does' : 'do'} not run`;
  if (system.hasSystemd) {
    const why = await askSystemd(system);
    if (why !== undefined) return why;
  }
  for (const program of system.checks()) {
    const { status, output } = await system.run([program], CHECK_MS);
    if (status !== 0) return `${program}: ${describe(status, output)}`;
  }
  return undefined;
}

async function askSystemd(system: HealthSystem): Promise<string | undefined> {
  const state = (await system.run(['systemctl', 'is-system-running'], SYSTEMCTL_MS)).output.trim();
  // `degraded`: some unit failed. What must not fail is for boot-complete.target and the checks to say.
  if (state !== 'running' && state !== 'degraded') return `systemd is ${state === '' ? 'silent' : state}`;
  const { status, output } = await system.run(['systemctl', 'start', 'boot-complete.target'], BOOT_COMPLETE_MS);
  return status === 0 ? undefined : `boot-complete.target: ${describe(status, output)}`;
}

function describe(status: number | null, output: string): string {
  const last = output.trim().split('\n').at(-1) ?? '';
  const end = status === null ? 'did not end in time' : `exit status ${status}`;
  return last === '' ? end : `${end} (${last})`;
}

/** @param down plugins that do not run */
export function healthSystem(down: () => readonly string[], directory = CHECKS_DIRECTORY): HealthSystem {
  return {
    hasSystemd: isDirectory('/run/systemd/system'),
    checks: () => checksIn(directory),
    run,
    down,
  };
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Executable files, by their names; no copies that an editor or a package left. */
export function checksIn(directory: string): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
  return names
    .filter((name) => /^[A-Za-z0-9_-]+$/.test(name)) // as run-parts(8) takes them
    .sort()
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true && isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // a note or a disabled one
  }
}

/** Runs a program to its end; one that cannot be started says so as its output. It and its children are ended in time. */
export function run([command = '', ...args]: readonly string[], timeoutMs: number): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', env, detached: true });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (part: Buffer) => {
        output = (output + part.toString()).slice(-LONGEST_OUTPUT);
      });
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL'); // a group of its own
      resolve({ status: null, output });
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve({ status: 127, output: error.message });
    });
    // Not `close`: a daemon that the program leaves holds its output open.
    child.once('exit', (status) => {
      clearTimeout(timer);
      setImmediate(() => resolve({ status, output }));
    });
  });
}
