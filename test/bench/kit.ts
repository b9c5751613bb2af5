/**
 * Making images, beside mksquashfs with the same compressor, level, block size and number of threads:
 * `node test/bench/kit.ts [LEVEL] [ROUNDS]` writes build/bench/kit.json. A tree of at least 1 GB; rounds alternated; each is a
 * whole process from start to end. CPU seconds are what can be compared on a machine that does other things as well.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { planChunkSizes } from '../../src/image/chunk-index.ts';
import { type Measured, measure } from './kit/measure.ts';
import { makeTree, megabytes } from './kit/tree.ts';

const root = join(import.meta.dirname, '../..');
const level = process.argv[2] ?? '15';
const rounds = Number(process.argv[3] ?? 3);
const threads = availableParallelism();
mkdirSync(join(root, 'build/bench'), { recursive: true });
const directory = mkdtempSync(join(root, 'build/bench/kit-'));
const [tree, theirs, ours] = ['tree', 'mksquashfs.sqfs', 'viver.sqfs'].map((name) => join(directory, name)) as [
  string,
  string,
  string,
];
const viver = join(root, 'build/viver');

/** The index is made apart, so that what is compared is the packing alone. */
const RUNS: Readonly<Record<string, () => Promise<Measured>>> = {
  mksquashfs: () => {
    rmSync(theirs, { force: true });
    const options = ['-comp', 'zstd', '-Xcompression-level', level, '-b', '256K', '-processors', String(threads)];
    return measure('mksquashfs', [tree, theirs, '-noappend', '-no-progress', '-quiet', ...options]);
  },
  'viver image create': () =>
    measure(viver, ['image', 'create', tree, '-o', ours, '--level', level, '--no-kernel', '--no-excludes']),
};

/** The same digest and sizes as ours. The store is full from a run before, so that casync too only cuts and hashes. */
const casyncMake = (): Promise<Measured> => {
  const { min, avg, max } = planChunkSizes(statSync(ours).size);
  const words = ['make', '--digest=sha256', `--chunk-size=${min}:${avg}:${max}`, `--store=${join(directory, 'store')}`];
  return measure('casync', [...words, join(directory, 'casync.caibx'), ours]);
};
const INDEX = 'viver image index';
const CASYNC = 'casync make, store full already';
const SHA256 = 'openssl dgst -sha256';
const START = 'viver --version';
/** Of the image that was made; a second each, so they are run more often. The last two are what is below ours in any case. */
const INDEX_RUNS: Readonly<Record<string, () => Promise<Measured>>> = {
  [INDEX]: () => measure(viver, ['image', 'index', ours]),
  [CASYNC]: casyncMake,
  [SHA256]: () => measure('openssl', ['dgst', '-sha256', ours]),
  [START]: () => measure(viver, ['--version']),
};

try {
  const tar = join(root, 'build/debian.tar');
  if (!existsSync(tar)) throw new Error(`${tar} is not there: make image`);
  makeTree(tree, tar);
  const samples: Record<string, Measured[]> = {};
  const sample = async (runs: typeof RUNS): Promise<void> => {
    for (const [name, run] of Object.entries(runs)) samples[name] = [...(samples[name] ?? []), await run()];
  };
  for (let round = 0; round < rounds; round++) await sample(RUNS);
  const storeFilling = await casyncMake();
  for (let round = 0; round < Math.max(rounds, 5); round++) await sample(INDEX_RUNS);
  const isSameIndex = readFileSync(join(directory, 'viver.caibx')).equals(
    readFileSync(join(directory, 'casync.caibx')),
  );
  const best = (name: string): Measured => {
    const all = samples[name] ?? [];
    return all.reduce((a, b) => (a.cpuSeconds <= b.cpuSeconds ? a : b));
  };
  const quickest = (name: string): number => Math.min(...(samples[name] ?? []).map(({ wallSeconds }) => wallSeconds));
  const [their, our, index] = [best('mksquashfs'), best('viver image create'), best(INDEX)];
  const imageMegabytes = statSync(ours).size / 1e6;
  const packing = our.cpuSeconds - index.cpuSeconds;
  const report = {
    machine: { cpu: cpus()[0]?.model, processors: cpus().length, loadAverage: loadavg() },
    tree: {
      megabytes: megabytes(tree),
      files: Number(execFileSync('sh', ['-c', `find ${tree} | wc -l`], { encoding: 'utf8' })),
    },
    options: { compressor: 'zstd', level: Number(level), blockSize: 262_144, threads },
    size: {
      mksquashfs: statSync(theirs).size,
      viver: statSync(ours).size,
      ratio: statSync(ours).size / statSync(theirs).size,
    },
    cpu: {
      mksquashfs: their.cpuSeconds,
      viverWithIndex: our.cpuSeconds,
      viverPacking: packing,
      ratioWithIndex: our.cpuSeconds / their.cpuSeconds,
      ratioPacking: packing / their.cpuSeconds,
    },
    wallRatioWithIndex: our.wallSeconds / their.wallSeconds,
    peakMegabytes: { mksquashfs: their.peakMegabytes, viver: our.peakMegabytes },
    index: {
      isSameIndex,
      imageMegabytes,
      megabytesPerSecond: imageMegabytes / quickest(INDEX),
      megabytesPerCpuSecond: imageMegabytes / index.cpuSeconds,
      cpuSeconds: Object.fromEntries([INDEX, CASYNC, SHA256, START].map((name) => [name, best(name).cpuSeconds])),
      wallSeconds: Object.fromEntries([INDEX, CASYNC, SHA256, START].map((name) => [name, quickest(name)])),
      peakMegabytes: index.peakMegabytes,
      storeFilling,
    },
    /** How many times as long casync takes: by processor time, by the clock on all processors, and when it fills its store. */
    indexBesideCasync: {
      cpu: best(CASYNC).cpuSeconds / index.cpuSeconds,
      wall: quickest(CASYNC) / quickest(INDEX),
      wallStoreEmpty: storeFilling.wallSeconds / quickest(INDEX),
    },
    samples,
  };
  writeFileSync(join(root, 'build/bench/kit.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  const { samples: _all, ...summary } = report;
  console.log(JSON.stringify(summary, undefined, 2));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
