import { readdirSync, statSync, utimesSync } from 'node:fs';
import { array, assert, boolean, integer, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkStore } from '../../../src/image/chunk-store.ts';
import { makeChunkIndex } from '../../../src/image/make-index.ts';
import { makeRoom, planRoom } from '../../../src/image/make-room.ts';
import { storeImage } from '../../../src/image/store-image.ts';
import { memoryImage, noise, temporaryFolder } from './images.ts';

const files = array(
  record({ bytes: integer({ min: 1, max: 100 }), atMs: integer({ min: 0, max: 10 }), isOwn: boolean() }),
).map((all) => all.map((file, i) => ({ ...file, path: String(i) })));

test('room is made within the budget, from the oldest of other images, and no more than is needed', () => {
  assert(
    property(files, integer({ min: 0, max: 2000 }), integer({ min: 0, max: 3000 }), (all, imageBytes, budget) => {
      const gone = planRoom(all, imageBytes, budget);
      expect(gone.every(({ isOwn }) => !isOwn)).toBe(true);
      const stays = all.filter((file) => !file.isOwn && !gone.includes(file));
      const left = stays.reduce((sum, { bytes }) => sum + bytes, 0) + Math.min(imageBytes, budget);
      expect(left <= budget || stays.length === 0).toBe(true);
      const last = gone.at(-1);
      if (last !== undefined) expect(left + last.bytes).toBeGreaterThan(budget);
      for (const file of stays) for (const { atMs } of gone) expect(file.atMs).toBeGreaterThanOrEqual(atMs);
    }),
  );
});

test('an older image makes room for the new one, chunk by chunk', async () => {
  using folder = temporaryFolder();
  const store = new ChunkStore(folder.at('s'));
  const [old, next] = [noise(1_000_000, 1), noise(1_000_000, 2)];
  await storeImage(memoryImage(old), await makeChunkIndex(memoryImage(old)), store);
  for (const name of readdirSync(store.path, { recursive: true, encoding: 'utf8' }))
    utimesSync(folder.at(`s/${name}`), 1, 1);
  const index = await makeChunkIndex(memoryImage(next));
  const left = await makeRoom(store.path, index, 1_500_000);
  expect(left).toBeLessThanOrEqual(500_000);
  expect(left).toBeGreaterThan(200_000);
  const sizes = readdirSync(store.path, { recursive: true, encoding: 'utf8' }).map((name) =>
    statSync(folder.at(`s/${name}`)),
  );
  expect(sizes.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0)).toBe(left);
  expect(await makeRoom(store.path, await makeChunkIndex(memoryImage(old)), 1)).toBe(0);
  expect(await makeRoom(folder.at('none'), index, 1)).toBe(0);
});
