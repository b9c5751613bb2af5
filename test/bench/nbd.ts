/**
 * The NBD front end beside nbdkit and nbd-server, all serving the same bytes from memory on unix sockets, rounds
 * alternated: `node test/bench/nbd.ts [ROUNDS]` writes build/bench/nbd.json.
 */
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { cpuSeconds, type RunningServer, SERVERS, startServer } from './nbd/servers.ts';

const MIB = 1024 * 1024;
const IMAGE_BYTES = 512 * MIB;
const RANDOM_SECONDS = 2;
const ROUNDS = Number(process.argv[2] ?? 7);

const METRICS = {
  'sequential MB/s': (server: RunningServer): number => {
    const start = performance.now();
    execFileSync('nbdcopy', [server.uri, 'null:']);
    return IMAGE_BYTES / 1000 / (performance.now() - start);
  },
  'random 4 KiB reads/s, depth 1': (server: RunningServer): number => randomReads(server.uri, 1),
  'random 4 KiB reads/s, depth 32': (server: RunningServer): number => randomReads(server.uri, 32),
} as const;

function randomReads(uri: string, depth: number): number {
  const output = execFileSync('fio', [
    ...['--name=random', '--ioengine=nbd', `--uri=${uri}`, '--rw=randread', '--bs=4k', `--iodepth=${depth}`],
    ...[`--size=${IMAGE_BYTES}`, '--time_based', `--runtime=${RANDOM_SECONDS}`, '--norandommap'],
    ...['--randrepeat=0', '--output-format=json'],
  ]).toString();
  const report = JSON.parse(output.slice(output.indexOf('{'))) as { jobs: { read: { iops: number } }[] };
  return report.jobs[0]?.read.iops ?? 0;
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}

type Samples = Record<string, { samples: number[]; cpuSeconds: number[] }>;

/** One metric of one server, with the CPU time the server spent on it. */
function measure(server: RunningServer, metric: keyof typeof METRICS, into: Samples): void {
  const before = cpuSeconds(server.pid);
  const sample = METRICS[metric](server);
  const entry = into[metric] ?? { samples: [], cpuSeconds: [] };
  into[metric] = entry;
  entry.samples.push(Math.round(sample));
  entry.cpuSeconds.push(Number((cpuSeconds(server.pid) - before).toFixed(2)));
}

const directory = mkdtempSync('/dev/shm/viver-bench-nbd-');
const image = join(directory, 'image');
const bytes = Buffer.alloc(IMAGE_BYTES);
for (let at = 0; at < IMAGE_BYTES; at += 64 * MIB) randomFillSync(bytes, at, 64 * MIB);
writeFileSync(image, bytes);

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
  const medianOf = (name: string, metric: string): number => median(results.get(name)?.[metric]?.samples ?? []);
  const report = {
    what: 'NBD servers on unix sockets, the same random bytes from memory; clients nbdcopy and fio (libnbd)',
    imageBytes: IMAGE_BYTES,
    rounds: ROUNDS,
    machine: { cpus: cpus().length, model: cpus()[0]?.model, load: loadavg() },
    servers: SERVERS.map(({ name, note }) => ({
      name,
      note,
      metrics: Object.keys(METRICS).map((metric) => ({
        metric,
        median: medianOf(name, metric),
        overNbdkit: Number((medianOf(name, metric) / medianOf('nbdkit', metric)).toFixed(2)),
        ...results.get(name)?.[metric],
      })),
    })),
  };
  mkdirSync('build/bench', { recursive: true });
  writeFileSync('build/bench/nbd.json', `${JSON.stringify(report, null, 2)}\n`);
  for (const { name, metrics } of report.servers) {
    for (const { metric, median, overNbdkit } of metrics) console.log(`${name}\t${metric}\t${median}\t${overNbdkit}`);
  }
} finally {
  for (const server of servers) process.kill(server.pid);
  rmSync(directory, { recursive: true });
}
