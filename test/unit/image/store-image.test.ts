import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ChunkCorruptError } from '../../../src/image/chunk-source.ts';
import { ChunkStore } from '../../../src/image/chunk-store.ts';
import { writeIndexFile } from '../../../src/image/index-file.ts';
import { makeChunkIndex } from '../../../src/image/make-index.ts';
import { storeImage } from '../../../src/image/store-image.ts';
import { casyncExtract, memoryImage, noise, temporaryFolder } from './images.ts';

const content = Buffer.concat([noise(1_500_000), new Uint8Array(1_100_000)]);
const index = await makeChunkIndex(memoryImage(content));

test.each(['sha256', 'sha512-256'] as const)(
  'casync extracts the image from the store and the index made here by %s',
  async (named) => {
    using folder = temporaryFolder();
    const index = await makeChunkIndex(memoryImage(content), { named });
    const seen: number[] = [];
    const stored = await storeImage(memoryImage(content), index, new ChunkStore(folder.at('s.castr')), {
      onProgress: (done) => void seen.push(done),
    });
    expect(stored.added + stored.shared).toBe(index.count);
    // The zeros are several times the same chunk.
    expect(stored.shared).toBeGreaterThan(1);
    expect(seen.at(-1)).toBe(content.length);
    await writeIndexFile(folder.at('x.caibx'), index);
    await casyncExtract(folder.at('x.caibx'), folder.at('s.castr'), folder.at('out'));
    expect(Buffer.compare(readFileSync(folder.at('out')), content)).toBe(0);
  },
);

test('a second image adds only the chunks it does not share with the first', async () => {
  using folder = temporaryFolder();
  const store = new ChunkStore(folder.at('s.castr'));
  await storeImage(memoryImage(content), index, store);
  expect((await storeImage(memoryImage(content), index, store)).added).toBe(0);
  const changed = Buffer.concat([content.subarray(0, 700_000), Buffer.from('new'), content.subarray(700_000)]);
  const changedIndex = await makeChunkIndex(memoryImage(changed));
  const { added } = await storeImage(memoryImage(changed), changedIndex, store);
  expect(added).toBeGreaterThan(0);
  expect(added).toBeLessThan(6);
});

test('an image that is not what its index says gets no wrong chunk into the store', async () => {
  using folder = temporaryFolder();
  const changed = Uint8Array.from(content);
  changed[700_000] = (changed[700_000] ?? 0) ^ 1;
  const store = new ChunkStore(folder.at('s.castr'));
  await expect(storeImage(memoryImage(changed), index, store)).rejects.toThrow(ChunkCorruptError);
  expect(await store.has(index.digestHex(index.locate(700_000)))).toBe(false);
});

test('ends when it is told to', async () => {
  using folder = temporaryFolder();
  const work = storeImage(memoryImage(content), index, new ChunkStore(folder.at('s.castr')), {
    signal: AbortSignal.abort(new Error('enough')),
  });
  await expect(work).rejects.toThrow('enough');
});
