import { existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CarriedChunks, carryChunks, type NamedChunk, PIECE_BYTES } from '../../../src/image/carried-chunks.ts';
import { noise, sha256, temporaryFolder } from './images.ts';

const never = (line: string): void => {
  throw new Error(line);
};
const chunksOf = (count: number, bytes: number): NamedChunk[] =>
  Array.from({ length: count }, (_, i) => noise(bytes + i, i + 1)).map((chunk) => ({
    digest: Buffer.from(sha256(chunk), 'hex'),
    bytes: chunk,
  }));

function made(path: string): string {
  mkdirSync(path);
  return path;
}

async function* each(chunks: readonly NamedChunk[]): AsyncGenerator<NamedChunk, void, void> {
  yield* chunks;
}

test('what is left is found again, each chunk checked, and goes piece by piece as it is taken', async () => {
  using folder = temporaryFolder();
  const chunks = chunksOf(20, PIECE_BYTES / 8);
  const total = chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
  expect(await carryChunks(folder.path, each(chunks), 'sha256', total)).toBe(total);
  expect(readdirSync(folder.path).sort()).toEqual(['0', '1', '2', 'index.caibx']);
  const carried = await CarriedChunks.open(folder.path, never);
  expect(carried?.index.count).toBe(20);
  for (const [i, { bytes }] of chunks.entries())
    expect(Buffer.compare((await carried?.read(i)) ?? Buffer.alloc(0), bytes)).toBe(0);
  for (let i = 0; i < 8; i++) carried?.drop(i);
  await expect.poll(() => readdirSync(folder.path).sort()).toEqual(['1', '2', 'index.caibx']);
  await expect(carried?.read(3)).rejects.toThrow('not there any more');
  // A daemon that died in the middle of it: the next one finds what is left.
  const again = await CarriedChunks.open(folder.path, never);
  expect([again?.has(7), again?.has(8)]).toEqual([false, true]);
  for (let i = 0; i < 20; i++) again?.drop(i);
  await expect.poll(() => existsSync(folder.path)).toBe(false);
  expect(await CarriedChunks.open(folder.path, never)).toBeUndefined();
  mkdirSync(folder.path); // for its own end
});

test('no more is left than there is room for', async () => {
  using folder = temporaryFolder();
  const chunks = chunksOf(10, 1000);
  expect(await carryChunks(folder.path, each(chunks), 'sha256', 3500)).toBe(3003);
  expect((await CarriedChunks.open(folder.path, never))?.index.count).toBe(3);
});

test('without an index nothing was carried over, and what is there goes', async () => {
  for (const most of [0, 10_000]) {
    using folder = temporaryFolder();
    const directory = join(folder.path, 'carried');
    await carryChunks(made(directory), each(chunksOf(3, 1000)), 'sha256', most);
    rmSync(join(directory, 'index.caibx'), { force: true });
    expect(await CarriedChunks.open(directory, never)).toBeUndefined();
    expect(existsSync(directory)).toBe(false);
  }
});

test('bytes that are cut short or others are no chunk', async () => {
  using folder = temporaryFolder();
  await carryChunks(folder.path, each(chunksOf(3, 1000)), 'sha256', 10_000);
  const piece = folder.at('0');
  truncateSync(piece, statSync(piece).size - 1);
  const carried = await CarriedChunks.open(folder.path, never);
  await expect(carried?.read(2)).rejects.toThrow('1001 bytes instead of 1002');
  writeFileSync(piece, noise(3003, 99));
  await expect(carried?.read(0)).rejects.toThrow('chunk 0 is not');
});

test('whatever the index is, it is read or refused, and then nothing stays', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      using folder = temporaryFolder();
      const directory = made(join(folder.path, 'carried'));
      writeFileSync(join(directory, 'index.caibx'), bytes);
      const carried = await CarriedChunks.open(directory, never).catch(() => undefined);
      expect(existsSync(directory)).toBe(carried !== undefined);
    }),
    { numRuns: 30 },
  );
});
