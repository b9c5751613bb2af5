/**
 * The NBD front end beside nbdkit and nbd-server, all serving the same bytes from memory on unix sockets, rounds
 * alternated: `node test/bench/nbd.ts [ROUNDS]` writes build/bench/nbd.json.
 */
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { cpuSeconds, type RunningServer, SERVERS, startServer } from './nbd/servers.ts';

const MIB = 1024 * 1024;
const RANDOM_BYTES = 512 * MIB;
/** One copy takes a quarter of a second: too short a sample. */
const COPIES = 4;
const RANDOM_SECONDS = 2;
const ROUNDS = Number(process.argv[2] ?? 7);

const METRICS = {
  'sequential MB/s': (server: RunningServer): number => {
    const start = performance.now();
    for (let copy = 0; copy < COPIES; copy++) execFileSync('nbdcopy', [server.uri, 'null:']);
    return (COPIES * imageBytes) / 1000 / (performance.now() - start);
  },
  'random 4 KiB reads/s, depth 1': (server: RunningServer): number => randomReads(server.uri, 1),
  'random 4 KiB reads/s, depth 32': (server: RunningServer): number => randomReads(server.uri, 32),
} as const;

function randomReads(uri: string, depth: number): number {
  const output = execFileSync('fio', [
    ...['--name=random', '--ioengine=nbd', `--uri=${uri}`, '--rw=randread', '--bs=4k', `--iodepth=${depth}`],
    ...[`--size=${imageBytes - (imageBytes % 4096)}`, '--time_based', `--runtime=${RANDOM_SECONDS}`, '--norandommap'],
    ...['--randrepeat=0', '--output-format=json'],
  ]).toString();
  const report = JSON.parse(output.slice(output.indexOf('{'))) as { jobs: { read: { iops: number } }[] };
  return report.jobs[0]?.read.iops ?? 0;
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}

/** `perCpuSecond` is what a second of the server's CPU time brings: it holds also when others use the machine. */
type Samples = Record<string, { samples: number[]; perCpuSecond: number[] }>;

/** One metric of one server, with the CPU time the server spent on it. */
function measure(server: RunningServer, metric: keyof typeof METRICS, into: Samples): void {
  const before = cpuSeconds(server.pid);
  const start = performance.now();
  const sample = METRICS[metric](server);
  const seconds = (performance.now() - start) / 1000;
  const entry = into[metric] ?? { samples: [], perCpuSecond: [] };
  into[metric] = entry;
  entry.samples.push(Math.round(sample));
  const cpu = Math.max(0.01, cpuSeconds(server.pid) - before);
  entry.perCpuSecond.push(Math.round((sample * seconds) / cpu));
}

const directory = mkdtempSync('/dev/shm/viver-bench-nbd-');
const image = join(directory, 'image.sqfs');
const tree = join(directory, 'tree');
mkdirSync(tree);
const bytes = Buffer.alloc(64 * MIB);
for (let at = 0; at < RANDOM_BYTES; at += bytes.length) {
  writeFileSync(join(tree, 'random'), randomFillSync(bytes), { flag: 'a' });
}
execFileSync('mksquashfs', [tree, image, '-no-progress', '-quiet', '-noD'], { stdio: 'ignore' });
rmSync(tree, { recursive: true });
const imageBytes = statSync(image).size;

const servers: RunningServer[] = [];
try {
  for (const kind of SERVERS) servers.push(await startServer(kind, image, directory));
  const results = new Map<string, Samples>(servers.map((server) => [server.name, {}]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const metric of Object.keys(METRICS) as (keyof typeof METRICS)[]) {
      for (const server of servers) measure(server, metric, results.get(server.name) ?? {});
    }
    process.stderr.write(`round ${round + 1} of ${ROUNDS}, load ${loadavg()[0]?.toFixed(1)}\n`);
  }
  const medians = (name: string, metric: string, kind: 'samples' | 'perCpuSecond') => {
    const medianOf = (server: string): number => median(results.get(server)?.[metric]?.[kind] ?? []);
    return { median: medianOf(name), overNbdkit: Number((medianOf(name) / medianOf('nbdkit')).toFixed(2)) };
  };
  const report = {
    what: 'NBD servers on unix sockets, the same random bytes from memory; clients nbdcopy and fio (libnbd)',
    imageBytes,
    rounds: ROUNDS,
    machine: { cpus: cpus().length, model: cpus()[0]?.model, load: loadavg() },
    servers: SERVERS.map(({ name, note }) => ({
      name,
      note,
      metrics: Object.keys(METRICS).map((metric) => ({
        metric,
        ...medians(name, metric, 'samples'),
        perCpuSecond: medians(name, metric, 'perCpuSecond'),
        samples: results.get(name)?.[metric],
      })),
    })),
  };
  mkdirSync('build/bench', { recursive: true });
  writeFileSync('build/bench/nbd.json', `${JSON.stringify(report, null, 2)}\n`);
  for (const { name, metrics } of report.servers) {
    for (const { metric, median, overNbdkit, perCpuSecond } of metrics) {
      console.log([name, metric, median, overNbdkit, perCpuSecond.median, perCpuSecond.overNbdkit].join('\t'));
    }
  }
} finally {
  for (const server of servers) process.kill(server.pid);
  rmSync(directory, { recursive: true });
}
