/** Field daemons as processes of this machine, for tests: started from one bundle, judged from outside. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askStatus } from '../../src/field/control.ts';
import type { FieldStatus } from '../../src/field/status.ts';
import { VIVER } from '../bench/field/runs.ts';

export interface TestImage {
  readonly path: string;
  readonly id: string;
  readonly sha256: string;
  readonly size: number;
  readonly chunks: number;
}

export interface Daemon {
  readonly host: string;
  readonly address: string;
  readonly nbd: string;
  readonly control: string;
  readonly log: () => string;
  readonly child: ChildProcess;
  /** The line on standard output: it serves reads. */
  ready(): Promise<string>;
  status(): Promise<FieldStatus>;
  /** kill -9 */
  kill(): Promise<void>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
}

/** One test's field: a directory, an image, daemons on loopback addresses; all gone at the end. */
export class FieldTest implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'viver-field-'));
  readonly image: TestImage;
  readonly #daemons: Daemon[] = [];
  /** 127.N.x.y: tests of one machine do not meet. */
  readonly #net = 1 + ((randomBytes(1)[0] as number) % 200);
  #count = 0;

  constructor(megabytes = 6) {
    this.image = this.#makeImage(megabytes);
  }

  /** Starts a daemon on the next address of its own. */
  up(args: readonly string[], options: { at?: string; wrapper?: readonly string[]; listen?: string } = {}): Daemon {
    const number = ++this.#count;
    const subnet = (process.pid + Math.floor(number / 250)) % 250;
    const host = options.at ?? `127.${this.#net}.${subnet}.${1 + (number % 250)}`;
    const address = options.listen ?? `${host}:20070`;
    const control = join(this.directory, `control${number}`);
    const nbd = join(this.directory, `nbd${number}`);
    const words = ['field', 'up', '--listen', address, '--control', control, '--nbd', `unix:${nbd}`, ...args];
    const [command = '', ...before] = [...(options.wrapper ?? []), VIVER];
    const child = spawn(command, [...before, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    child.stderr?.on('data', (text) => {
      log += String(text);
    });
    const line = new Promise<string>((resolve, reject) => {
      child.stdout?.once('data', (text) => resolve(String(text)));
      child.once('exit', (code) => reject(new Error(`field daemon ended with ${code}: ${log}`)));
    });
    line.catch(() => {});
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    const end = (signal: NodeJS.Signals) => {
      if (child.exitCode === null) child.kill(signal);
      return ended;
    };
    const daemon: Daemon = {
      host,
      address,
      nbd,
      control,
      child,
      log: () => log,
      ready: () => within(20, `ready line of ${address}`, line),
      status: () => askStatus(control),
      kill: async () => void (await end('SIGKILL')),
      stop: () => within(40, `end of ${address}`, end('SIGTERM')),
    };
    this.#daemons.push(daemon);
    return daemon;
  }

  holder(args: readonly string[] = []): Daemon {
    return this.up(['--image', this.image.path, ...args]);
  }

  joiner(peers: readonly Daemon[], args: readonly string[] = []): Daemon {
    return this.up(['--id', this.image.id, ...peers.flatMap(({ address }) => ['--peer', address]), ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon.kill()));
    rmSync(this.directory, { recursive: true, force: true });
  }

  #makeImage(megabytes: number): TestImage {
    const tree = join(this.directory, 'tree');
    const path = join(this.directory, 'test.sqfs');
    mkdirSync(tree);
    writeFileSync(join(tree, 'random'), randomBytes(megabytes << 20));
    execFileSync('mksquashfs', [tree, path, '-no-progress', '-quiet', '-noD'], { stdio: 'ignore' });
    const bytes = readFileSync(path);
    truncateSync(path, Math.ceil(bytes.length / 4096) * 4096);
    const made = execFileSync(VIVER, ['image', 'index', path, '--json'], {
      encoding: 'utf8',
    });
    const { id, size, chunks } = JSON.parse(made) as { id: string; size: number; chunks: number };
    const sha256 = createHash('sha256').update(readFileSync(path).subarray(0, size)).digest('hex');
    return { path, id, sha256, size, chunks };
  }
}

/** SHA-256 of a whole device as nbdcopy reads it. */
export function hashOf(daemon: Daemon, seconds = 30): Promise<string> {
  const copy = spawn('nbdcopy', [`nbd+unix:///?socket=${daemon.nbd}`, '-'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const hash = createHash('sha256');
  let errors = '';
  copy.stderr.on('data', (text) => {
    errors += String(text);
  });
  copy.stdout.on('data', (bytes) => hash.update(bytes as Uint8Array));
  const done = new Promise<string>((resolve, reject) => {
    copy.once('close', (code) => {
      if (code === 0) resolve(hash.digest('hex'));
      else reject(new Error(`nbdcopy: ${errors}\nthe daemon (${daemon.child.exitCode}) said:\n${daemon.log()}`));
    });
  });
  return within(seconds, `nbdcopy of ${daemon.address}`, done);
}

export function within<T>(seconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function until(what: string, isTrue: () => Promise<boolean>, seconds = 20): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function holdsAll(daemon: Daemon, test: FieldTest): Promise<boolean> {
  return daemon.status().then(
    ({ node }) => node.held === test.image.chunks,
    () => false,
  );
}
