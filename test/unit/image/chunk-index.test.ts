import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CHUNK_SIZE_LIMIT,
  type ChunkIndex,
  chunkIndexFileSize,
  createChunkIndex,
  decodeChunkIndex,
  encodeChunkIndex,
  INDEX_SIZE_LIMIT,
  verifyIndex,
} from '../../../src/image/chunk-index.ts';

const SIZES = { min: 16, avg: 64, max: 256 };

function indexOf(lengths: readonly number[]): ChunkIndex {
  let end = 0;
  const ends = Float64Array.from(lengths, (length) => {
    end += length;
    return end;
  });
  return createChunkIndex(ends, new Uint8Array(randomBytes(lengths.length * 32)), SIZES);
}

/** An index file with a 64-bit field overwritten. */
function changed(offset: number, value: bigint, lengths = [100, 50, 200]): Buffer {
  const bytes = Buffer.from(encodeChunkIndex(indexOf(lengths)));
  bytes.writeBigUInt64LE(value, offset);
  return bytes;
}

const lengths = fc.array(fc.integer({ min: 1, max: SIZES.max }), { minLength: 1, maxLength: 200 });

describe('ChunkIndex', () => {
  test('gives each chunk its range, digest and place', () => {
    const index = indexOf([100, 50, 200]);
    expect(index).toMatchObject({ size: 350, count: 3, largest: 200, sizes: SIZES });
    expect(index.chunk(1)).toEqual({ start: 100, end: 150, digest: index.digests.subarray(32, 64) });
    expect(index.length(2)).toBe(200);
    expect(index.digestHex(2)).toBe(Buffer.from(index.digest(2)).toString('hex'));
    expect([0, 99, 100, 149, 150, 349].map((offset) => index.locate(offset))).toEqual([0, 0, 1, 1, 2, 2]);
  });

  test.each([-1, 350, Number.NaN, Number.POSITIVE_INFINITY])('locates nothing at offset %d', (offset) => {
    expect(() => indexOf([100, 50, 200]).locate(offset)).toThrow(RangeError);
  });

  test.each([-1, 3, 0.5, Number.NaN])('has no chunk %d', (i) => {
    expect(() => indexOf([100, 50, 200]).chunk(i)).toThrow(RangeError);
  });

  test('locates every offset in the one chunk that spans it', () => {
    fc.assert(
      fc.property(lengths, fc.nat(), (list, seed) => {
        const index = indexOf(list);
        const offset = seed % index.size;
        const { start, end } = index.chunk(index.locate(offset));
        expect(start <= offset && offset < end).toBe(true);
      }),
    );
  });
});

describe('a chunk index file', () => {
  test('is named by its SHA-256', () => {
    const index = indexOf([1, 2, 3]);
    expect(index.id).toBe(createHash('sha256').update(encodeChunkIndex(index)).digest('hex'));
  });

  test('decodes to the index it was made from, and encodes to the same bytes', () => {
    fc.assert(
      fc.property(lengths, (list) => {
        const index = indexOf(list);
        const bytes = encodeChunkIndex(index);
        expect(bytes.length).toBe(chunkIndexFileSize(list.length));
        const again = decodeChunkIndex(bytes);
        expect(again).toEqual(index);
        expect(encodeChunkIndex(again)).toEqual(bytes);
      }),
    );
  });

  test('keeps offsets beyond 32 bits', () => {
    const ends = new Float64Array(1000).map((_, i) => (i + 1) * CHUNK_SIZE_LIMIT);
    const sizes = { min: 1, avg: 1, max: CHUNK_SIZE_LIMIT };
    const index = decodeChunkIndex(encodeChunkIndex(createChunkIndex(ends, new Uint8Array(32_000), sizes)));
    expect(index.size).toBe(1000 * CHUNK_SIZE_LIMIT);
    expect(index.locate(2 ** 32)).toBe(256);
  });

  test('cut short at any byte is refused', () => {
    const bytes = encodeChunkIndex(indexOf([10, 20, 30]));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeChunkIndex(bytes.subarray(0, length))).toThrow(/bad chunk index: cut short/);
    }
  });

  test('with anything behind its end is refused', () => {
    const bytes = encodeChunkIndex(indexOf([10, 20, 30]));
    for (const extra of [1, 39, 40, 80]) {
      expect(() => decodeChunkIndex(Buffer.concat([bytes, Buffer.alloc(extra)]))).toThrow(/bad chunk index: cut short/);
    }
  });

  test('of two million chunks is read, and written the same', () => {
    const count = 2_000_000;
    const ends = Float64Array.from({ length: count }, (_, i) => (i + 1) * 65_536);
    const digests = new Uint8Array(count * 32).fill(7);
    const bytes = encodeChunkIndex(createChunkIndex(ends, digests, undefined, 'sha512-256'));
    const index = decodeChunkIndex(bytes);
    expect([index.count, index.size, index.hash]).toEqual([count, count * 65_536, 'sha512-256']);
    expect(index.locate(index.size - 1)).toBe(count - 1);
    expect(Buffer.compare(encodeChunkIndex(index), bytes)).toBe(0);
  });

  test.each([
    ['head.indexSize: is 0x2f, must be 0x30', 0, 47n],
    ['head.indexType: is 0x1, must be 0x96824d9c7b129ff9', 8, 1n],
    ['unknown feature flags 0x800000000000000', 16, 1n << 59n],
    ['chunk sizes 0:64:256', 24, 0n],
    ['chunk sizes 65:64:256', 24, 65n],
    ['chunk sizes 16:257:256', 32, 257n],
    ['chunk sizes 16:64:16777217', 40, BigInt(CHUNK_SIZE_LIMIT + 1)],
    ['head.max: ', 40, 2n ** 64n - 1n],
    ['head.tableSize: ', 48, 7n],
    ['head.tableType: ', 56, 7n],
    ['chunk 0 ends at 0, not behind its start 0', 64, 0n],
    ['chunk 0 has 257 bytes, more than the 256 allowed', 64, 257n],
    ['chunk 1 ends at 100, not behind its start 100', 104, 100n],
    ['chunk 1 ends at 99, not behind its start 100', 104, 99n],
    ['chunk 2 has', 144, 2n ** 64n - 1n],
    ['tail.zero: ', 184, 1n],
    ['tail.indexSize: ', 200, 47n],
    ['tail.tableSize: ', 208, 2n ** 64n - 1n],
    ['tail.tableSize: is 177', 208, 177n],
    ['cut short, or something behind its end: no end marker', 216, 0n],
  ])('is refused and the reason named: %s', (message, offset, value) => {
    expect(() => decodeChunkIndex(changed(offset, value))).toThrow(`bad chunk index: ${message}`);
  });

  test('without chunks is refused', () => {
    expect(() => createChunkIndex(new Float64Array(0), new Uint8Array(0))).toThrow('no chunks');
    const bytes = encodeChunkIndex(indexOf([1]));
    const none = Buffer.concat([bytes.subarray(0, 64), bytes.subarray(104)]);
    none.writeBigUInt64LE(56n, 88);
    expect(() => decodeChunkIndex(none)).toThrow('bad chunk index: no chunks');
  });

  test('of more bytes than allowed is refused before any is looked at', () => {
    const huge = new Uint8Array(INDEX_SIZE_LIMIT + 1);
    expect(() => decodeChunkIndex(huge)).toThrow(`${INDEX_SIZE_LIMIT + 1} bytes are too many`);
  });

  test('with some bytes changed gives another id or an Error, and what it gives is sound', () => {
    const good = encodeChunkIndex(indexOf([100, 50, 200, 17]));
    const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.oneof(edits, fc.uint8Array({ maxLength: 300 })), (input) => {
        const bytes = Buffer.from(good);
        if (input instanceof Uint8Array) bytes.set(input.subarray(0, good.length));
        else for (const [at, value] of input) bytes[at] = value;
        let index: ChunkIndex;
        try {
          index = decodeChunkIndex(bytes);
        } catch (error) {
          expect((error as Error).message).toMatch(/^bad chunk index: /);
          return;
        }
        expect(encodeChunkIndex(index)).toEqual(new Uint8Array(bytes));
        for (let i = 0; i < index.count; i++) expect(index.length(i)).toBeGreaterThan(0);
        expect(index.largest).toBeLessThanOrEqual(index.sizes.max);
      }),
      { numRuns: 500 },
    );
  });
});

describe('verifyIndex', () => {
  test('gives the index when it is the one that is wanted, however the id is spelt', () => {
    const index = indexOf([5, 6]);
    expect(verifyIndex(encodeChunkIndex(index), index.id.toUpperCase())).toEqual(index);
  });

  test('refuses another one, also when it would be garbage', () => {
    expect(() => verifyIndex(encodeChunkIndex(indexOf([5, 6])), 'ab'.repeat(32))).toThrow(
      /^chunk index is [0-9a-f]{64}, wanted (ab){32}$/,
    );
    expect(() => verifyIndex(Buffer.from('x'), 'ab'.repeat(32))).toThrow(/wanted/);
  });
});
