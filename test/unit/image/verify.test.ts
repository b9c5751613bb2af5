import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { ChunkIndex } from '../../../src/image/chunk-index.ts';
import { HashPool } from '../../../src/image/hash-pool.ts';
import { makeChunkIndex } from '../../../src/image/make-index.ts';
import { ImageMismatchError, verifyImage } from '../../../src/image/verify.ts';
import { memoryImage, noise } from './images.ts';

const pool = new HashPool(2);
afterAll(() => pool[Symbol.asyncDispose]());

const MIB = 1024 * 1024;
const good = noise(12 * MIB + 777);
let made: Promise<ChunkIndex> | undefined;
/** Made once: making it is another test's matter. */
const goodIndex = (): Promise<ChunkIndex> => (made ??= makeChunkIndex(memoryImage(good), { pool }));

function flipped(...offsets: number[]): Uint8Array {
  const bytes = Uint8Array.from(good);
  for (const offset of offsets) bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  return bytes;
}

describe('verifyImage', () => {
  test('is content with the image the index was made from, and tells how far it is', async () => {
    const seen: number[] = [];
    const onProgress = (done: number): void => void seen.push(done);
    await verifyImage(memoryImage(good), await goodIndex(), { pool, onProgress });
    expect(seen.at(-1)).toBe(good.length);
    expect(seen.length).toBeGreaterThan(2);
  });

  test('of an index whose chunks are named by SHA-512/256 too', async () => {
    const index = await makeChunkIndex(memoryImage(good), { named: 'sha512-256', pool });
    await verifyImage(memoryImage(good), index, { pool });
    const error = await verifyImage(memoryImage(flipped(5 * MIB)), index, { pool }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ImageMismatchError', chunk: index.locate(5 * MIB) });
  });

  test('starts and ends threads of its own when it is given none', async () => {
    await verifyImage(memoryImage(good), await goodIndex());
  });

  test('names the first chunk that differs, whichever bytes were changed', async () => {
    const index = await goodIndex();
    const offsets = fc.array(fc.nat(good.length - 1), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(offsets, async (changed) => {
        const unique = [...new Set(changed)];
        const first = Math.min(...unique.map((offset) => index.locate(offset)));
        const error = await verifyImage(memoryImage(flipped(...unique)), index, { pool }).catch((e: unknown) => e);
        expect(error).toBeInstanceOf(ImageMismatchError);
        expect(error).toMatchObject({ chunk: first, start: index.start(first), end: index.end(first) });
      }),
      { numRuns: 15 },
    );
  });

  test('says in words what differs', async () => {
    const index = await goodIndex();
    await expect(verifyImage(memoryImage(flipped(0), 'x.sqfs'), index, { pool })).rejects.toThrow(
      `x.sqfs is not what its index says: chunk 0 of ${index.count}, bytes 0 to ${index.end(0) - 1}, differs`,
    );
  });

  test('names a truncated image and an index of another image so', async () => {
    const index = await goodIndex();
    await expect(verifyImage(memoryImage(good.subarray(0, -1), 'x.sqfs'), index, { pool })).rejects.toThrow(
      `x.sqfs is truncated: ${good.length - 1} of ${good.length} bytes are there`,
    );
    await expect(verifyImage(memoryImage(Buffer.concat([good, good])), index, { pool })).rejects.toThrow(
      'index of another image',
    );
    await expect(verifyImage(memoryImage(noise(good.length, 2)), index, { pool })).rejects.toThrow('chunk 0 of');
  });

  test('gives up when a read fails', async () => {
    const image = { ...memoryImage(good), read: () => Promise.reject(new Error('disk is broken')) };
    await expect(verifyImage(image, await goodIndex(), { pool })).rejects.toThrow('disk is broken');
  });

  test('ends when it is told to', async () => {
    const stop = new AbortController();
    const work = verifyImage(memoryImage(good), await goodIndex(), {
      pool,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    });
    await expect(work).rejects.toThrow('enough');
  });
});
