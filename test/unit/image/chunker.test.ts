import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BUZHASH_TABLE } from '../../../src/image/buzhash-table.ts';
import type { ChunkSizes } from '../../../src/image/chunk-index.ts';
import { Chunker } from '../../../src/image/chunker.ts';
import { noise } from './images.ts';

function lengthsOf(bytes: Uint8Array, sizes: ChunkSizes): number[] {
  const chunker = new Chunker(sizes, bytes.length);
  chunker.bytes.set(bytes);
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = chunker.next(at, bytes.length);
    lengths.push(length);
    at += length;
  }
  return lengths;
}

const rotate = (word: bigint, count: number): bigint =>
  ((word << BigInt(count % 32)) | (word >> BigInt(32 - (count % 32)))) & 0xffffffffn;

/** Casync's rule as it is written down, without anything rolled, skipped or avoided. */
function lengthsByDefinition(bytes: Uint8Array, { min, avg, max }: ChunkSizes): number[] {
  const d = Math.min(Math.max(Math.trunc(avg / (-1.42888852e-7 * avg + 1.33237515)), min), max);
  const lengths: number[] = [];
  let start = 0;
  for (let end = 1; end <= bytes.length; end++) {
    const length = end - start;
    let cut = length === max || end === bytes.length;
    if (length >= min && !cut) {
      let hash = 0n;
      for (let i = 0; i < 48; i++) {
        hash ^= rotate(BigInt(BUZHASH_TABLE[bytes[end - 48 + i] as number] as number), 47 - i);
      }
      cut = hash % BigInt(d) === BigInt(d - 1);
    }
    if (!cut) continue;
    lengths.push(length);
    start = end;
  }
  return lengths;
}

test('cuts where the definition says, for odd, even and power-of-two discriminators', () => {
  const sizes = fc.constantFrom<ChunkSizes>(
    { min: 48, avg: 64, max: 256 },
    { min: 50, avg: 120, max: 300 },
    { min: 64, avg: 64, max: 200 },
    { min: 128, avg: 170, max: 171 },
    { min: 48, avg: 171, max: 1000 },
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc.tuple(fc.nat(4000), fc.nat(1000)).map(([length, seed]) => noise(length, seed)),
    // Runs of one byte: where the window holds nothing else the hash stands still.
    fc
      .array(fc.tuple(fc.nat(255), fc.nat(200)), { maxLength: 20 })
      .map((runs) => Buffer.concat(runs.map(([byte, n]) => Buffer.alloc(n, byte)))),
  );
  fc.assert(
    fc.property(bytes, sizes, (input, chunkSizes) => {
      expect(lengthsOf(input, chunkSizes)).toEqual(lengthsByDefinition(input, chunkSizes));
    }),
  );
});

test('chunks add up to the input and keep within their bounds, save the last', () => {
  const input = noise(3_000_000);
  const sizes = { min: 4096, avg: 16384, max: 65536 };
  const lengths = lengthsOf(input, sizes);
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(input.length);
  for (const length of lengths.slice(0, -1)) {
    expect(length).toBeGreaterThanOrEqual(sizes.min);
    expect(length).toBeLessThanOrEqual(sizes.max);
  }
  expect(lengths.length).toBeGreaterThan(100);
});

test('the same content is cut the same way behind an insertion', () => {
  const input = noise(2_000_000);
  const sizes = { min: 4096, avg: 16384, max: 65536 };
  const changed = Buffer.concat([input.subarray(0, 5000), Buffer.from('inserted'), input.subarray(5000)]);
  const tail = (lengths: number[]): string => lengths.slice(-50).join();
  expect(tail(lengthsOf(changed, sizes))).toBe(tail(lengthsOf(input, sizes)));
});

test('chunks of one size are cut without looking', () => {
  expect(lengthsOf(noise(1000), { min: 300, avg: 300, max: 300 })).toEqual([300, 300, 300, 100]);
});

test.each([
  [47, 64, 256],
  [64, 63, 256],
  [64, 128, 127],
  [64, 128, 2 ** 30],
  [Number.NaN, 128, 256],
])('sizes %d:%d:%d are refused', (min, avg, max) => {
  expect(() => new Chunker({ min, avg, max }, 1000)).toThrow(`cannot cut chunks of ${min}:${avg}:${max} bytes`);
});
