/**
 * Making images, beside mksquashfs with the same compressor, level, block size and number of threads:
 * `node test/bench/kit.ts [LEVEL] [ROUNDS]` writes build/bench/kit.json. A tree of at least 1 GB; rounds alternated; each is a
 * whole process from start to end. CPU seconds are what can be compared on a machine that does other things as well.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
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
  'viver image index': () => measure(viver, ['image', 'index', ours]),
  'casync make, store full already': () => {
    const sizes = '--chunk-size=16384:65536:262144';
    const words = ['make', '--digest=sha256', sizes, `--store=${join(directory, 'store')}`];
    return measure('casync', [...words, join(directory, 'casync.caibx'), ours]);
  },
};

try {
  const tar = join(root, 'build/debian.tar');
  if (!existsSync(tar)) throw new Error(`${tar} is not there: make image`);
  makeTree(tree, tar);
  const samples: Record<string, Measured[]> = Object.fromEntries(Object.keys(RUNS).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(RUNS)) samples[name]?.push(await run());
    // The first round of casync also fills its store.
    if (round === 0 && rounds > 1) samples['casync make, store full already']?.splice(0);
  }
  const best = (name: string): Measured => {
    const all = samples[name] ?? [];
    return all.reduce((a, b) => (a.cpuSeconds <= b.cpuSeconds ? a : b));
  };
  const [their, our, index] = [best('mksquashfs'), best('viver image create'), best('viver image index')];
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
    indexBesideCasync: best('casync make, store full already').cpuSeconds / index.cpuSeconds,
    samples,
  };
  writeFileSync(join(root, 'build/bench/kit.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  const { samples: _all, ...summary } = report;
  console.log(JSON.stringify(summary, undefined, 2));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
