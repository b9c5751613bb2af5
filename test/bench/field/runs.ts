/** One timed run of V-FIELD bringing an image to N machines at once, in a lab of shaped links. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { askStatus } from '../../../src/field/control.ts';
import { Lab, type LinkShape, type Rooms } from './lab.ts';

export interface RunResult {
  readonly nodes: number;
  readonly lastSeconds: number;
  readonly medianSeconds: number;
  /** Bytes the holder's interface sent, in images. */
  readonly holderImages: number;
  /** Bytes that went from room to room. */
  readonly crossedImages?: number;
  /** CPU seconds of all processes of the system under test, and the largest resident size of one, in MB. */
  readonly cpuSeconds: number;
  /** Of these, what the kernel did for them. */
  readonly systemSeconds: number;
  readonly peakMb: number;
  readonly times: readonly number[];
  /** Share of the machine's processors that neither the system under test nor the links' emulation used. */
  readonly othersShare?: number;
}

const ROOT = join(import.meta.dirname, '../../..');
/** The executable as make builds it, or the one that VIVER names: what runs on a machine is what is measured. */
export const VIVER = process.env.VIVER ?? join(ROOT, 'build/viver');

export interface Usage {
  cpuSeconds: number;
  systemSeconds: number;
  peakMb: number;
}

/** CPU time and peak memory of a live process, its namespace wrapper having become it by exec. */
function usageOf(pid: number | undefined): Usage {
  if (pid === undefined) return { cpuSeconds: 0, systemSeconds: 0, peakMb: 0 };
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  const [user, system] = [Number(fields[11]) / 100, Number(fields[12]) / 100];
  return { cpuSeconds: user + system, systemSeconds: system, peakMb: Number(peak?.[1] ?? 0) / 1024 };
}

export function total(processes: readonly Pick<ChildProcess, 'pid'>[]): Usage {
  const all = processes.map(({ pid }) => usageOf(pid));
  return {
    cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    systemSeconds: all.reduce((sum, { systemSeconds }) => sum + systemSeconds, 0),
    peakMb: Math.max(...all.map(({ peakMb }) => peakMb)),
  };
}

/** Seconds that all processes of the machine have computed so far; what the kernel does for packets is not in it. */
function machineCpuSeconds(): number {
  const [user = 0, nice = 0, system = 0] =
    readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/).slice(1).map(Number) ?? [];
  return (user + nice + system) / 100;
}

export async function end(processes: readonly ChildProcess[]): Promise<void> {
  for (const child of processes) if (child.exitCode === null) child.kill('SIGKILL');
  await Promise.all(
    processes.map((child) => (child.exitCode === null && child.signalCode === null ? once(child, 'exit') : 0)),
  );
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>, seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * Copies a device to nowhere, or to a checksum; gives the second at which it was done, counted from `start`.
 * @param sha256 what the bytes must be
 */
async function copy(socket: string, start: number, sha256: string | undefined): Promise<number> {
  const target = sha256 === undefined ? 'null:' : '-';
  const child = spawn('nbdcopy', ['--no-extents', `nbd+unix:///?socket=${socket}`, target], {
    stdio: ['ignore', sha256 === undefined ? 'ignore' : 'pipe', 'ignore'],
  });
  const hash = createHash('sha256');
  child.stdout?.on('data', (bytes) => hash.update(bytes as Uint8Array));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`nbdcopy from ${socket} ended with ${String(code)}`);
  const seconds = (performance.now() - start) / 1000;
  if (sha256 !== undefined && hash.digest('hex') !== sha256) throw new Error(`wrong bytes from ${socket}`);
  return seconds;
}

/** Prints what the first few hosts send, in Mbit/s, every second. */
function watchLinks(lab: Lab, hosts: number, directory: string): NodeJS.Timeout {
  let before = Array.from({ length: hosts }, (_, i) => lab.sentBytes(i));
  let at = performance.now();
  return setInterval(async () => {
    const held: number[] = [];
    for (let i = 1; i < hosts; i++)
      held.push((await askStatus(join(directory, `c${i}`)).catch(() => undefined))?.node.held ?? -1);
    const now = Array.from({ length: hosts }, (_, i) => lab.sentBytes(i));
    const seconds = (performance.now() - at) / 1000;
    at += seconds * 1000;
    console.log(
      now.map((bytes, i) => (((bytes - (before[i] as number)) * 8) / 1e6 / seconds).toFixed(1)).join(' '),
      'held',
      held.join(' '),
    );
    before = now;
  }, 1000);
}

export interface FieldRunOptions {
  readonly image: string;
  readonly id: string;
  readonly nodes: number;
  readonly shape: LinkShape | undefined;
  readonly verbose?: boolean;
  /** SHA-256 of the image, to be checked at every node. */
  readonly sha256?: string;
  /** So many of the nodes are killed, and the holder told to leave if it says so, at that second. */
  readonly blow?: { readonly atSeconds: number; readonly killed: number; readonly holderLeaves: boolean };
  /** So many nodes more that give false chunks. */
  readonly liars?: number;
  /** In two rooms; each node is told which one it is in. */
  readonly rooms?: Rooms;
}

/** All nodes are up and have nothing; the barrier is the holder being let go. */
export async function runField(options: FieldRunOptions): Promise<RunResult> {
  const { image, id, nodes, shape, verbose, sha256, blow, liars = 0, rooms } = options;
  const directory = mkdtempSync(join(tmpdir(), 'vf-'));
  const lab = Lab.create(nodes + 1 + liars, shape, rooms);
  const processes: ChildProcess[] = [];
  /** Settled by each node's line on standard output: it serves reads. */
  const ready: Promise<void>[] = [];
  try {
    const launch = (host: number, words: readonly string[]): void => {
      const args = [
        'field',
        'up',
        '--listen',
        `${lab.address(host)}:20070`,
        '--control',
        join(directory, `c${host}`),
        ...(rooms === undefined ? [] : ['--site', host < rooms.first ? 'first' : 'second']),
        ...words,
      ];
      const child = lab.spawn(host, VIVER, args, {
        stdio: ['ignore', 'pipe', verbose === true ? 'inherit' : 'ignore'],
      });
      ready.push(new Promise((resolve) => child.stdout?.once('data', () => resolve())));
      child.once('exit', (code, signal) => {
        if (signal !== 'SIGKILL' && code !== 0) console.error(`node ${host} ended early: ${signal ?? code}`);
      });
      processes.push(child);
    };
    const isServing = (host: number) => existsSync(join(directory, `c${host}`));
    launch(0, ['--image', image]);
    await until('holder', () => isServing(0), 60);
    const [holder] = processes;
    // `ip netns exec` becomes the program it runs: the signal reaches the node itself.
    holder?.kill('SIGSTOP');
    for (let host = 1; host <= nodes; host++) {
      launch(host, ['--id', id, '--peer', `${lab.address(0)}:20070`, '--nbd', `unix:${join(directory, `n${host}`)}`]);
      // Two at a time: starting all at once on two cores takes longer.
      if (host % 4 === 0) await until(`node ${host - 2}`, () => isServing(host - 2), 60);
    }
    for (let host = 1; host <= nodes; host++) await until(`node ${host}`, () => isServing(host), 120);
    for (let host = nodes + 1; host <= nodes + liars; host++) {
      const words = [join(import.meta.dirname, 'liar.ts'), image, lab.address(host), `${lab.address(0)}:20070`];
      processes.push(lab.spawn(host, process.execPath, words, { stdio: 'ignore' }));
    }
    // Long enough for the liars to have told everybody.
    await new Promise((resolve) => setTimeout(resolve, liars > 0 ? 5000 : 500));
    const before = total(processes);
    const sentBefore = lab.sentBytes(0);
    const crossedBefore = rooms === undefined ? 0 : lab.crossedBytes();
    const machineBefore = machineCpuSeconds();
    const start = performance.now();
    holder?.kill('SIGCONT');
    const watch = verbose === true ? watchLinks(lab, Math.min(nodes + 1, 8), directory) : undefined;
    const survivors = Array.from({ length: nodes }, (_, i) => i + 1).filter((host) => host > (blow?.killed ?? 0));
    const strike = setTimeout(
      () => {
        for (let host = 1; host <= (blow?.killed ?? 0); host++) processes[host]?.kill('SIGKILL');
        if (blow?.holderLeaves === true) holder?.kill('SIGTERM');
      },
      (blow?.atSeconds ?? 0) * 1000,
    );
    const read = async (host: number): Promise<number> => {
      await ready[host];
      return copy(join(directory, `n${host}`), start, sha256);
    };
    // Those that will be killed read too; that their reads fail is to be expected.
    for (let host = 1; host <= (blow?.killed ?? 0); host++) void read(host).catch(() => {});
    const times = await Promise.all(survivors.map(read)).finally(() => {
      clearTimeout(strike);
      clearInterval(watch);
    });
    const crossedBytes = rooms === undefined ? 0 : lab.crossedBytes() - crossedBefore;
    const holderBytes = lab.sentBytes(0) - sentBefore;
    const usage = total(processes.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null));
    if (verbose === true) {
      for (let host = 0; host <= Math.min(nodes, 4); host++) {
        const { traffic, peers, shutOut } = await askStatus(join(directory, `c${host}`));
        console.log(
          host,
          JSON.stringify(traffic),
          peers.length,
          JSON.stringify(shutOut),
          usageOf(processes[host]?.pid),
        );
      }
    }
    const cpuSeconds = usage.cpuSeconds - before.cpuSeconds;
    const machineSeconds = ((performance.now() - start) / 1000) * availableParallelism();
    const sorted = [...times].sort((a, b) => a - b);
    const size = readFileSync(image).length;
    return {
      nodes,
      lastSeconds: sorted.at(-1) ?? 0,
      medianSeconds: sorted[sorted.length >> 1] ?? 0,
      holderImages: holderBytes / size,
      crossedImages: crossedBytes / size,
      cpuSeconds,
      systemSeconds: usage.systemSeconds - before.systemSeconds,
      peakMb: usage.peakMb,
      times: sorted,
      othersShare: (machineCpuSeconds() - machineBefore - cpuSeconds) / machineSeconds,
    };
  } finally {
    await end(processes);
    lab.destroy();
    rmSync(directory, { recursive: true, force: true });
  }
}
