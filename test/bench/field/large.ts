/**
 * Three nodes on loopback and an image of very many small chunks: `node test/bench/field/large.ts [CHUNKS AVERAGE_KIB]`
 * (600,000 of 16 KiB: 10 GB in the system's temporary directory, with build/bench/field-large.json for the figures). One
 * brings the image; two that keep 1 GB each read a stretch of it, one alone and then both at once. Meanwhile one is asked
 * for 4 KiB that it has, a hundred times a second. Needs build/viver and fio.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeChunkIndex } from '../../../src/image/chunk-index.ts';
import { openImage } from '../../../src/image/image-file.ts';
import { makeChunkIndex } from '../../../src/image/make-index.ts';
import { end, VIVER } from './runs.ts';

const run = promisify(execFile);
const KEEP = 1 << 30;
const PIECE = 64 << 20;
const STRETCH = 3 * 2 ** 30;

const [chunks = 600_000, averageKib = 16] = process.argv.slice(2).map(Number);
const directory = mkdtempSync(join(tmpdir(), 'viver-large-'));
const image = join(directory, 'image.sqfs');
const children: ChildProcess[] = [];

interface Node {
  readonly readySeconds: number;
  readonly uri: string;
  readonly pid: number;
}

async function makeImage(): Promise<{ id: string; size: number; count: number; indexMb: number }> {
  const noise = join(directory, 'noise');
  const file = openSync(noise, 'w');
  const piece = Buffer.allocUnsafe(PIECE);
  for (let left = chunks * averageKib * 1024 * 1.05; left > 0; left -= PIECE) writeSync(file, randomFillSync(piece));
  closeSync(file);
  await run('mksquashfs', [noise, image, '-no-progress', '-quiet', '-noD', '-noF']);
  rmSync(noise);
  await using opened = await openImage(image);
  const avg = averageKib * 1024;
  const index = await makeChunkIndex(opened, { sizes: { min: avg / 4, avg, max: avg * 4 } });
  const bytes = encodeChunkIndex(index);
  writeFileSync(image.replace('.sqfs', '.caibx'), bytes);
  return { id: index.id, size: index.size, count: index.count, indexMb: bytes.length / 1e6 };
}

async function up(number: number, args: readonly string[]): Promise<Node> {
  const socket = join(directory, `nbd${number}`);
  const words = ['--listen', `127.86.0.${number}:20070`, '--control', join(directory, `control${number}`)];
  const began = performance.now();
  const child = spawn(VIVER, ['field', 'up', ...words, '--nbd', `unix:${socket}`, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`node ${number} ended with ${code}`))),
  ]);
  const readySeconds = (performance.now() - began) / 1000;
  return { readySeconds, uri: `nbd+unix:///?socket=${socket}`, pid: child.pid as number };
}

/** MB/s of all that read the stretch from `offset` at once. */
async function read(nodes: readonly Node[], offset: number): Promise<number> {
  const began = performance.now();
  const words = ['--name=r', '--ioengine=nbd', '--rw=read', '--bs=256k', '--iodepth=16'];
  await Promise.all(
    nodes.map(({ uri }) => run('fio', [...words, `--uri=${uri}`, `--offset=${offset}`, `--size=${STRETCH}`])),
  );
  return (nodes.length * STRETCH) / 1000 / (performance.now() - began);
}

/** Milliseconds of the longest of the reads of the image's first MiB, 4 KiB each, while `work` goes on. */
async function longestSmallRead({ uri }: Node, work: () => Promise<unknown>): Promise<number> {
  const fio = spawn('fio', [
    ...['--name=s', '--ioengine=nbd', `--uri=${uri}`, '--rw=randread', '--bs=4k', '--iodepth=1', '--size=1M'],
    ...['--time_based', '--runtime=3600', '--rate_iops=100', '--output-format=json'],
  ]);
  let text = '';
  fio.stdout.on('data', (bytes) => {
    text += String(bytes);
  });
  const closed = once(fio, 'close');
  try {
    await work();
  } finally {
    fio.kill('SIGINT');
    await closed;
  }
  const report = JSON.parse(text.slice(text.indexOf('{'))) as { jobs: { read: { clat_ns: { max: number } } }[] };
  return (report.jobs[0]?.read.clat_ns.max ?? 0) / 1e6;
}

/** Memory of its own, in MiB; what it maps of a file is the page cache's. */
function memoryMb({ pid }: Node): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return (kib('RssAnon') + kib('RssShmem')) / 1024;
}

try {
  const load = loadavg();
  const made = await makeImage();
  const holder = await up(1, ['--image', image]);
  const words = ['--id', made.id, '--peer', '127.86.0.1:20070', '--keep', String(KEEP)];
  const [first, second] = [await up(2, words), await up(3, words)];
  const nodes = [holder, first, second];
  const peakMb = nodes.map(memoryMb);
  const watch = setInterval(() => {
    for (const [i, node] of nodes.entries()) peakMb[i] = Math.max(peakMb[i] ?? 0, memoryMb(node));
  }, 200);
  // The first MiB is here then.
  await run('fio', ['--name=f', '--ioengine=nbd', `--uri=${first.uri}`, '--rw=read', '--bs=256k', '--size=1M']);
  const mbPerS = { alone: 0, both: 0 };
  const longestMs = await longestSmallRead(first, async () => {
    mbPerS.alone = await read([first], STRETCH / 3);
    mbPerS.both = await read([first, second], (4 * STRETCH) / 3);
  });
  clearInterval(watch);
  const report = {
    ...made,
    load,
    readySeconds: nodes.map(({ readySeconds }) => readySeconds),
    mbPerS,
    longestSmallReadMs: longestMs,
    peakMb,
    keepMb: KEEP / 2 ** 20,
  };
  const bench = new URL('../../../build/bench/', import.meta.url);
  mkdirSync(bench, { recursive: true });
  writeFileSync(new URL('field-large.json', bench), `${JSON.stringify(report, null, 2)}\n`);
  console.log(JSON.stringify(report));
} finally {
  await end(children);
  rmSync(directory, { recursive: true, force: true });
}
