/**
 * Making an index, checking an image and filling a chunk store, beside casync and sha256sum doing the same to the same
 * bytes: `node test/bench/image.ts [ROUNDS] [IMAGE]` writes build/bench/image.json. Each is a whole process from start
 * to end, the image in RAM, rounds alternated. The chunker alone is measured within this process.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_CHUNK_SIZES, decodeChunkIndex } from '../../src/image/chunk-index.ts';
import { Chunker } from '../../src/image/chunker.ts';

const root = join(import.meta.dirname, '../..');
const rounds = Number(process.argv[2] ?? 7);
const directory = mkdtempSync('/dev/shm/viver-bench-image-');
const image = join(directory, 'image.sqfs');
copyFileSync(process.argv[3] ?? join(root, 'build/debian.sqfs'), image);
const sizeBytes = statSync(image).size;
const { min, avg, max } = DEFAULT_CHUNK_SIZES;

const viver = (...args: string[]): void => {
  execFileSync(join(root, 'build/viver'), args, { stdio: ['ignore', 'ignore', 'inherit'] });
};
const casync = (store: string): void => {
  const words = ['make', '--digest=sha256', `--chunk-size=${min}:${avg}:${max}`, `--store=${join(directory, store)}`];
  execFileSync('casync', [...words, join(directory, 'casync.caibx'), image], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
};
const without = (store: string): void => rmSync(join(directory, store), { recursive: true, force: true });

interface Contender {
  readonly prepare?: () => void;
  readonly run: () => void;
}

/** The store of `casync make` is full from the first round on, so that it only cuts and hashes, as `viver image index`. */
const CONTENDERS: Readonly<Record<string, Contender>> = {
  'index: viver image index': { run: () => viver('image', 'index', image) },
  'index: casync make, store full already': { run: () => casync('full.castr') },
  'verify: viver image verify': { run: () => viver('image', 'verify', image) },
  'verify: sha256sum': { run: () => void execFileSync('sha256sum', [image]) },
  'store: viver chunk store': {
    prepare: () => without('viver.castr'),
    run: () => viver('chunk', 'store', image, join(directory, 'viver.castr')),
  },
  'store: casync make': { prepare: () => without('new.castr'), run: () => casync('new.castr') },
  'start and end: viver help': { run: () => viver('help') },
};

function megabytesPerSecond(ms: number): number {
  return Math.round(sizeBytes / 1000 / ms);
}

function median(samples: readonly number[]): number {
  return [...samples].sort((a, b) => a - b)[samples.length >> 1] ?? 0;
}

function chunkerAlone(): number {
  const bytes = readFileSync(image);
  const chunker = new Chunker(DEFAULT_CHUNK_SIZES, bytes.length);
  chunker.bytes.set(bytes);
  const start = performance.now();
  for (let at = 0; at < bytes.length; ) at += chunker.next(at, bytes.length);
  return megabytesPerSecond(performance.now() - start);
}

try {
  viver('image', 'index', image);
  casync('full.castr');
  const ours = readFileSync(join(directory, 'image.caibx'));
  const sameIndex = ours.equals(readFileSync(join(directory, 'casync.caibx')));
  const samplesMs: Record<string, number[]> = Object.fromEntries(Object.keys(CONTENDERS).map((name) => [name, []]));
  const chunker: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [name, { prepare, run }] of Object.entries(CONTENDERS)) {
      prepare?.();
      const start = performance.now();
      run();
      samplesMs[name]?.push(Math.round(performance.now() - start));
    }
    chunker.push(chunkerAlone());
  }
  const results = Object.fromEntries(
    Object.entries(samplesMs).map(([name, ms]) => [
      name,
      { medianMs: median(ms), medianMegabytesPerSecond: megabytesPerSecond(median(ms)), samplesMs: ms },
    ]),
  );
  const report = {
    machine: { cpu: cpus()[0]?.model, processors: cpus().length, loadAverage: loadavg() },
    image: { sizeBytes, chunks: decodeChunkIndex(ours).count, indexIsByteForByteCasyncs: sameIndex },
    results,
    'chunker alone, one thread': { medianMegabytesPerSecond: median(chunker), samples: chunker },
  };
  mkdirSync(join(root, 'build/bench'), { recursive: true });
  writeFileSync(join(root, 'build/bench/image.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  for (const [name, { medianMs, medianMegabytesPerSecond }] of Object.entries(results)) {
    console.log(
      `${name.padEnd(42)} ${String(medianMs).padStart(6)} ms ${String(medianMegabytesPerSecond).padStart(6)} MB/s`,
    );
  }
  console.log(`${'chunker alone, one thread'.padEnd(52)} ${String(median(chunker)).padStart(6)} MB/s`);
  console.log(`index is byte for byte casync's: ${sameIndex}; load average ${loadavg()[0]?.toFixed(1)}`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
