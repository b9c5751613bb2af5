import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { VIVER } from '../field/runs.ts';

/** An NBD server under test: how to start it, and what to do before the first measurement. */
export interface ServerKind {
  readonly name: string;
  readonly note: string;
  /** Gives what tells the process id, once there is one. */
  start(socket: string, image: string, directory: string): () => number | undefined;
  fill?(uri: string, image: string): void;
}

export interface RunningServer {
  readonly name: string;
  readonly uri: string;
  readonly pid: number;
}

const RAM_SERVER = join(import.meta.dirname, 'ram-server.ts');

export const SERVERS: readonly ServerKind[] = [
  {
    name: 'nbdkit',
    note: 'memory plugin, filled with the image',
    start: (socket, image) => {
      const size = String(readFileSync(image).length);
      return run('nbdkit', ['--foreground', '--exit-with-parent', '-U', socket, 'memory', size]);
    },
    fill: (uri, image) => void execFileSync('nbdcopy', ['--allocated', image, uri]),
  },
  {
    name: 'nbd-server',
    note: 'the image in the page cache',
    // Without daemonizing it serves one client and ends.
    start(socket, image, directory) {
      const config = join(directory, 'nbd-server.conf');
      const pidFile = join(directory, 'nbd-server.pid');
      writeFileSync(config, `[generic]\nunixsock = ${socket}\n[image]\nexportname = ${image}\nreadonly = true\n`);
      execFileSync('nbd-server', ['-C', config, '-p', pidFile], { stdio: 'ignore' });
      return () => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) || undefined : undefined);
    },
  },
  {
    name: 'viver',
    note: 'a node that holds the image, each chunk verified when it is first read; the first copy is not measured',
    start(socket, image) {
      const words = ['field', 'up', '--image', image, '--listen', '127.0.0.1:0', '--nbd', `unix:${socket}`];
      return run(VIVER, words);
    },
    fill: (uri) => void execFileSync('nbdcopy', [uri, 'null:']),
  },
  {
    name: 'front end',
    note: "viver's NBD server alone, in front of an array",
    start: (socket, image) => run(process.execPath, [RAM_SERVER, socket, image]),
  },
];

function run(program: string, args: readonly string[]): () => number | undefined {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  return () => (child.exitCode === null ? child.pid : undefined);
}

async function accepts(socket: string): Promise<boolean> {
  if (!existsSync(socket)) return false;
  const probe = connect(socket);
  const answer = await new Promise<boolean>((resolve) => {
    probe.once('data', () => resolve(true));
    probe.once('error', () => resolve(false));
  });
  probe.destroy();
  return answer;
}

export async function startServer(kind: ServerKind, image: string, directory: string): Promise<RunningServer> {
  const socket = join(directory, `${kind.name.replace(' ', '-')}.sock`);
  const findPid = kind.start(socket, image, directory);
  for (let tries = 0; !(await accepts(socket)) || findPid() === undefined; tries++) {
    if (tries > 300) throw new Error(`${kind.name} does not serve ${socket}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const exported = kind.name === 'nbd-server' ? 'image' : '';
  const uri = `nbd+unix:///${exported}?socket=${socket}`;
  kind.fill?.(uri, image);
  return { name: kind.name, uri, pid: findPid() ?? 0 };
}

/** CPU seconds the process and its children that ended have used so far. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0) / 100;
}
