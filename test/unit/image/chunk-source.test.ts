import { expect, test } from 'vitest';
import { ChunkCorruptError, imageChunks, verifyChunk } from '../../../src/image/chunk-source.ts';
import { makeChunkIndex } from '../../../src/image/make-index.ts';
import { memoryImage, noise } from './images.ts';

const bytes = noise(500_000);
const index = await makeChunkIndex(memoryImage(bytes));

test('an image gives its chunks', async () => {
  const source = imageChunks(memoryImage(bytes, 'x.sqfs'), index);
  expect(source.name).toBe('x.sqfs');
  for (let i = 0; i < index.count; i++) {
    const { start, end } = index.chunk(i);
    expect(Buffer.compare((await source.read(i)) ?? noise(0), bytes.subarray(start, end))).toBe(0);
  }
  await expect(source.read(index.count)).rejects.toThrow(RangeError);
});

test('a chunk of a changed image is refused, and the image named', async () => {
  const changed = Uint8Array.from(bytes);
  changed[index.start(1)] = (changed[index.start(1)] ?? 0) ^ 1;
  const source = imageChunks(memoryImage(changed, 'x.sqfs'), index);
  await source.read(0);
  await expect(source.read(1)).rejects.toThrow(ChunkCorruptError);
  await expect(source.read(1)).rejects.toThrow(`x.sqfs: chunk 1 is not ${index.digestHex(1)}`);
});

test('bytes of another length are told so without being hashed', () => {
  expect(() => verifyChunk(index, 0, bytes.subarray(0, 5), 'peer 10.0.0.1')).toThrow(
    `peer 10.0.0.1: chunk 0 has 5 bytes instead of ${index.length(0)}`,
  );
});
