import { hash, randomBytes } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ChunkHolder } from '../../../../src/field/store/chunk-holder.ts';
import type { Medium } from '../../../../src/field/store/medium-layer.ts';
import { createChunkIndex } from '../../../../src/image/chunk-index.ts';
import { ChunkStore, chunkPath } from '../../../../src/image/chunk-store.ts';
import { temporaryFolder } from '../../image/images.ts';

const CHUNK = 20_000;
const COUNT = 40;
const content = randomBytes(CHUNK * COUNT);
const chunks = Array.from({ length: COUNT }, (_, i) => content.subarray(i * CHUNK, (i + 1) * CHUNK));
const index = createChunkIndex(
  Float64Array.from({ length: COUNT }, (_, i) => (i + 1) * CHUNK),
  Buffer.concat(chunks.map((chunk) => hash('sha256', chunk, 'buffer'))),
);

/** A medium some of whose chunks, or all, cannot be read any more. */
function startHolder(memoryBytes: number): { holder: ChunkHolder; unreadable: Set<number> } {
  const unreadable = new Set<number>();
  const medium: Medium = {
    name: 'stick',
    size: content.length,
    read: async (target, offset) => {
      if (unreadable.has(Math.floor(offset / CHUNK))) throw new Error('EIO');
      target.set(content.subarray(offset, offset + target.length));
    },
  };
  return { holder: new ChunkHolder({ index, memoryBytes, medium, store: undefined, events }), unreadable };
}

const events = { trouble: () => {}, unwritten: () => {}, torn: () => {}, behind: () => {}, found: () => {} };
const all = Array.from({ length: COUNT }, (_, chunk) => chunk);

test('a bad spot of a medium is not the end of it', async () => {
  const { holder, unreadable } = startHolder(0);
  for (const chunk of [3, 4, 5]) unreadable.add(chunk);
  await expect(holder.load(4)).rejects.toThrow('EIO');
  expect(await holder.lostWithMedium()).toEqual([]);
  expect(Buffer.from(await holder.load(7))).toEqual(chunks[7]);
});

test('a medium that gives nothing any more takes with it what was not kept, and is not asked again', async () => {
  const { holder, unreadable } = startHolder(content.length);
  await holder.load(7);
  for (const chunk of all) unreadable.add(chunk);
  expect(await holder.lostWithMedium()).toEqual(all.filter((chunk) => chunk !== 7));
  unreadable.clear();
  await expect(Promise.resolve(holder.load(8))).rejects.toThrow('not here any more');
  expect(Buffer.from(await holder.load(7))).toEqual(chunks[7]);
});

test('what was only cached of a medium is counted as lost with it', async () => {
  const { holder, unreadable } = startHolder(0);
  await holder.load(7);
  for (const chunk of all) unreadable.add(chunk);
  expect(await holder.lostWithMedium()).toEqual(all);
});

test('where there is no medium nothing is lost with one', async () => {
  const holder = new ChunkHolder({ index, memoryBytes: 0, medium: undefined, store: undefined, events });
  expect(await holder.lostWithMedium()).toEqual([]);
});

test('of a store in which a power cut left empty files all of these are known when the first is read', async () => {
  using folder = temporaryFolder();
  const store = new ChunkStore(folder.path);
  for (const chunk of all) await store.write(index.digestHex(chunk), chunks[chunk] as Buffer);
  const empty = [3, 4, 9, 30];
  for (const chunk of empty) truncateSync(folder.at(chunkPath(index.digestHex(chunk))), 0);
  const torn: number[] = [];
  const told = { ...events, torn: (found: readonly number[]) => void torn.push(...found) };
  const holder = new ChunkHolder({ index, memoryBytes: 0, medium: undefined, store, events: told });
  await holder.searchDisk(() => {});
  await expect(holder.load(4)).rejects.toThrow('no zstd');
  await expect.poll(() => torn).toEqual([3, 9, 30]);
  await expect(Promise.resolve(holder.load(9))).rejects.toThrow('not here any more');
  expect(Buffer.from(await holder.load(5))).toEqual(chunks[5]);
});
