import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  CHUNK_SIZE_LIMIT,
  type ChunkSizes,
  DEFAULT_CHUNK_SIZES,
  decodeChunkIndex,
  encodeChunkIndex,
  planChunkSizes,
} from '../../../src/image/chunk-index.ts';
import { HashPool } from '../../../src/image/hash-pool.ts';
import { makeChunkIndex, planThreads } from '../../../src/image/make-index.ts';
import { casyncMake, memoryImage, noise, sha256, temporaryFolder } from './images.ts';

const pool = new HashPool(2);
afterAll(() => pool[Symbol.asyncDispose]());

const MIB = 1024 * 1024;
const spelt = ({ min, avg, max }: ChunkSizes): string => `${min}:${avg}:${max}`;

describe('makeChunkIndex makes byte for byte the index that casync makes', () => {
  test.each<[string, Uint8Array, ChunkSizes]>([
    ['of noise over several segments', noise(7 * MIB + 12345), DEFAULT_CHUNK_SIZES],
    ['of exactly one segment', noise(MIB), DEFAULT_CHUNK_SIZES],
    ['of exactly two segments', noise(2 * MIB), DEFAULT_CHUNK_SIZES],
    ['of zeros, which are never cut but at the maximum', new Uint8Array(5 * MIB + 1), DEFAULT_CHUNK_SIZES],
    ['of one byte', noise(1), DEFAULT_CHUNK_SIZES],
    ['of one byte less than the smallest chunk', noise(16383), DEFAULT_CHUNK_SIZES],
    ['of one smallest chunk', noise(16384), DEFAULT_CHUNK_SIZES],
    [
      'of zeros and noise in turn',
      Buffer.concat([new Uint8Array(MIB), noise(MIB), new Uint8Array(3 * MIB), noise(MIB)]),
      DEFAULT_CHUNK_SIZES,
    ],
    ['with small chunks', noise(MIB / 8), { min: 64, avg: 1024, max: 4096 }],
    ['with an even discriminator', noise(3 * MIB), { min: 8000, avg: 30001, max: 100_000 }],
    ['with a discriminator raised to the minimum', noise(3 * MIB), { min: 32768, avg: 32768, max: 65536 }],
    ['with chunks of one size', noise(MIB), { min: 65536, avg: 65536, max: 65536 }],
    ['with chunks larger than a segment', noise(9 * MIB), { min: MIB, avg: 4 * MIB, max: 16 * MIB }],
  ])('%s', async (_what, bytes, sizes) => {
    using folder = temporaryFolder();
    writeFileSync(folder.at('image'), bytes);
    await casyncMake(folder.at('image'), folder.at('image.caibx'), folder.at('store.castr'), spelt(sizes));
    const index = await makeChunkIndex(memoryImage(bytes), { sizes, pool });
    expect(sha256(encodeChunkIndex(index))).toBe(sha256(readFileSync(folder.at('image.caibx'))));
  });
});

test('named by SHA-512/256 it is the index that casync makes by default, and reads back as that', async () => {
  using folder = temporaryFolder();
  const bytes = noise(3 * MIB);
  writeFileSync(folder.at('image'), bytes);
  await casyncMake(folder.at('image'), folder.at('image.caibx'), folder.at('s.castr'), undefined, 'sha512-256');
  const file = readFileSync(folder.at('image.caibx'));
  const index = await makeChunkIndex(memoryImage(bytes), { named: 'sha512-256', pool });
  expect(sha256(encodeChunkIndex(index))).toBe(sha256(file));
  const decoded = decodeChunkIndex(file);
  expect([decoded.hash, decoded.id]).toEqual(['sha512-256', index.id]);
  expect(sha256(encodeChunkIndex(decoded))).toBe(sha256(file));
});

test('chunks grow by powers of two with the image, so that none has many more than 250,000', () => {
  const size = fc.double({ min: 1, max: 2 ** 40, noNaN: true }).map(Math.floor);
  fc.assert(
    fc.property(size, size, (a, b) => {
      const [small, large] = [planChunkSizes(Math.min(a, b)), planChunkSizes(Math.max(a, b))];
      expect(large.avg).toBeGreaterThanOrEqual(small.avg);
      for (const [bytes, { min, avg, max }] of [
        [a, planChunkSizes(a)],
        [b, planChunkSizes(b)],
      ] as const) {
        expect([min * 4, avg * 4]).toEqual([avg, max]);
        expect(Number.isInteger(Math.log2(avg))).toBe(true);
        expect(max).toBeLessThanOrEqual(CHUNK_SIZE_LIMIT);
        expect(bytes / avg <= 250_000 || max === CHUNK_SIZE_LIMIT).toBe(true);
        // And no larger than it must be.
        expect(avg === DEFAULT_CHUNK_SIZES.avg || bytes / (avg / 2) > 250_000).toBe(true);
      }
    }),
  );
  expect(planChunkSizes(9e9)).toEqual(DEFAULT_CHUNK_SIZES);
  expect(planChunkSizes(100e9).avg).toBe(512 << 10);
});

test('the same index comes of one thread and of several, of reads that are quick and that are late', async () => {
  const kind = fc.constantFrom<[ChunkSizes, number]>(
    [{ min: 64, avg: 1024, max: 4096 }, 1],
    [DEFAULT_CHUNK_SIZES, 6],
    [{ min: 4096, avg: 20_001, max: 3 * MIB }, 6],
  );
  await using none = new HashPool(0);
  await fc.assert(
    fc.asyncProperty(kind, fc.nat(1000), fc.nat(MIB), async ([sizes, most], seed, less) => {
      const bytes = noise(most * MIB - less, seed);
      const good = memoryImage(bytes);
      const late = {
        ...good,
        read: async (target: Uint8Array, offset: number) => {
          if ((offset / MIB + seed) % 2 === 0) await sleep(2);
          // Others' bytes would show: a slot that is read into is nobody else's.
          target.fill(seed);
          if ((offset / MIB + seed) % 3 === 0) await sleep(1);
          await good.read(target, offset);
        },
      };
      const [alone, many, own] = await Promise.all([
        makeChunkIndex(late, { sizes, pool: none }),
        makeChunkIndex(late, { sizes, pool }),
        makeChunkIndex(late, { sizes }),
      ]);
      expect([many.id, own.id]).toEqual([alone.id, alone.id]);
      for (let i = 0; i < alone.count; i += 1 + (seed % 7)) {
        expect(alone.digestHex(i)).toBe(sha256(bytes.subarray(alone.start(i), alone.end(i))));
      }
    }),
    { numRuns: 15 },
  );
});

test('a thread is started for each half second of work that is left, and none before that can be told', () => {
  expect(planThreads(20e6, 2000e6, 29, 7)).toBe(0);
  expect(planThreads(20e6, 200e6, 30, 7)).toBe(0);
  expect(planThreads(20e6, 400e6, 30, 7)).toBe(1);
  expect(planThreads(20e6, 4000e6, 30, 7)).toBe(7);
  expect(planThreads(20e6, 4000e6, 30, 0)).toBe(0);
  expect(planThreads(1e6, 20e6, 100, 3)).toBe(3);
  expect(planThreads(200e6, 200e6, 300, 7)).toBe(0);
});

describe('makeChunkIndex', () => {
  test('starts and ends threads of its own when it is given none', async () => {
    const bytes = noise(300_000);
    const index = await makeChunkIndex(memoryImage(bytes));
    expect(index.size).toBe(bytes.length);
    expect(index.digestHex(0)).toBe(sha256(bytes.subarray(0, index.end(0))));
  });

  test('tells how far it is, up to the end', async () => {
    const seen: [number, number][] = [];
    await makeChunkIndex(memoryImage(noise(5 * MIB)), {
      pool,
      onProgress: (done, total) => void seen.push([done, total]),
    });
    expect(seen.at(-1)).toEqual([5 * MIB, 5 * MIB]);
    expect(seen.length).toBe(5);
    expect(seen.every(([done], i) => i === 0 || done > (seen[i - 1]?.[0] ?? 0))).toBe(true);
  });

  test('gives up when a read fails, wherever that is', async () => {
    for (const failing of [0, 2 * MIB, 6 * MIB]) {
      const bytes = noise(7 * MIB);
      const good = memoryImage(bytes);
      const image = {
        ...good,
        read: (target: Uint8Array, offset: number) =>
          offset === failing ? Promise.reject(new Error('disk is broken')) : good.read(target, offset),
      };
      await expect(makeChunkIndex(image, { pool })).rejects.toThrow('disk is broken');
    }
  });

  test('ends when it is told to', async () => {
    const stop = new AbortController();
    const work = makeChunkIndex(memoryImage(noise(20 * MIB)), {
      pool,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    });
    await expect(work).rejects.toThrow('enough');
  });

  test('makes no index of nothing', async () => {
    await expect(makeChunkIndex(memoryImage(new Uint8Array(0)), { pool })).rejects.toThrow('image is empty');
  });
});
