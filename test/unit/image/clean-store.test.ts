import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type ChunkIndex, createChunkIndex } from '../../../src/image/chunk-index.ts';
import { ChunkStore } from '../../../src/image/chunk-store.ts';
import { cleanStore } from '../../../src/image/clean-store.ts';
import { writeIndexFile } from '../../../src/image/index-file.ts';
import { sha256 } from '../../../src/linux/sha256.ts';

const directories: string[] = [];
afterEach(() => {
  for (const path of directories.splice(0)) rmSync(path, { recursive: true });
});

/** A directory with two images that share a chunk, and a chunk of none. */
async function filled() {
  const path = mkdtempSync(join(tmpdir(), 'viver-clean-'));
  directories.push(path);
  const store = new ChunkStore(path);
  const [a, b, shared, lost] = (await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const bytes = randomBytes(1000);
      const digest = Buffer.from(sha256(bytes));
      await store.write(digest.toString('hex'), bytes);
      return digest;
    }),
  )) as [Buffer, Buffer, Buffer, Buffer];
  const image = (...digests: Buffer[]): ChunkIndex =>
    createChunkIndex(Float64Array.from(digests.map((_, i) => (i + 1) * 1000)), Buffer.concat(digests));
  const [first, second] = [image(a, shared), image(b, shared)];
  for (const index of [first, second]) await writeIndexFile(join(path, `${index.id}.caibx`), index);
  const has = async (...digests: Buffer[]) =>
    await Promise.all(digests.map((digest) => store.has(digest.toString('hex'))));
  return { path, first, second, has, a, b, shared, lost };
}

test('chunks that no index names go, and stale temporary files; all else stays', async () => {
  const { path, has, a, b, shared, lost } = await filled();
  const digest = a.toString('hex');
  const folder = join(path, digest.slice(0, 4));
  const stale = join(folder, `${digest}.00000000-0000-4000-8000-000000000001.tmp`);
  const fresh = join(folder, `${digest}.00000000-0000-4000-8000-000000000002.tmp`);
  for (const file of [stale, fresh, join(path, 'node'), join(folder, 'notes.txt')]) writeFileSync(file, 'x');
  utimesSync(stale, 0, 0);
  const asked = { what: 'unnamed chunks', nowMs: Date.now() } as const;
  const planned = await cleanStore(path, { ...asked, isDryRun: true });
  expect(await has(a, b, shared, lost)).toEqual([true, true, true, true]);
  const done = await cleanStore(path, { ...asked, isDryRun: false });
  expect(done).toEqual(planned);
  expect(done).toMatchObject({ chunks: 1, temporary: 1, indexes: 0 });
  expect(await has(a, b, shared, lost)).toEqual([true, true, true, false]);
  expect(readdirSync(folder).sort()).toEqual([`${digest}.cacnk`, fresh.slice(folder.length + 1), 'notes.txt'].sort());
  expect(readdirSync(path)).toContain('node');
  expect(readdirSync(path)).not.toContain(lost.toString('hex').slice(0, 4));
});

test('with one image to keep, what others alone have goes, and their indexes', async () => {
  const { path, first, second, has, a, b, shared, lost } = await filled();
  const done = await cleanStore(path, { what: { otherThan: [first.id] }, isDryRun: false, nowMs: Date.now() });
  expect(done).toMatchObject({ chunks: 2, temporary: 0, indexes: 1 });
  expect(await has(a, b, shared, lost)).toEqual([true, false, true, false]);
  expect(readdirSync(path)).not.toContain(`${second.id}.caibx`);
});

test('a directory without that index, or without any, keeps all of its chunks', async () => {
  const { path, first, second, has, a, b, shared, lost } = await filled();
  const none = 'ab'.repeat(32);
  const options = { isDryRun: false, nowMs: Date.now() };
  await expect(cleanStore(path, { ...options, what: { otherThan: [none] } })).rejects.toThrow(
    `has no index of the image ${none}`,
  );
  for (const { id } of [first, second]) rmSync(join(path, `${id}.caibx`));
  await cleanStore(path, { ...options, what: 'unnamed chunks' });
  expect(await has(a, b, shared, lost)).toEqual([true, true, true, true]);
});

test('a broken index ends it before anything is gone', async () => {
  const { path, first, has, lost } = await filled();
  writeFileSync(join(path, `${first.id}.caibx`), 'no index');
  const options = { what: 'unnamed chunks', isDryRun: false, nowMs: Date.now() } as const;
  await expect(cleanStore(path, options)).rejects.toThrow(/caibx/);
  expect(await has(lost)).toEqual([true]);
});

test('a file in the place of a folder is no chunk', async () => {
  const { path } = await filled();
  mkdirSync(join(path, 'zzzz'));
  writeFileSync(join(path, 'abcd'), '');
  const options = { what: 'unnamed chunks', isDryRun: true, nowMs: Date.now() } as const;
  await expect(cleanStore(path, options)).resolves.toMatchObject({ chunks: 1 });
});

test('what only looks like a store is left alone: empty folders, links, directories, files in other folders', async () => {
  const { path, a } = await filled();
  const outside = mkdtempSync(join(tmpdir(), 'viver-clean-'));
  directories.push(outside);
  const hex = 'ab'.repeat(32);
  writeFileSync(join(outside, hex), 'somebody else');
  symlinkSync(outside, join(path, 'abab'));
  mkdirSync(join(path, '2024'));
  mkdirSync(join(path, '2025', `2025${hex.slice(4)}`), { recursive: true });
  writeFileSync(join(path, '2025', hex), 'mine');
  await cleanStore(path, { what: 'unnamed chunks', isDryRun: false, nowMs: Date.now() });
  expect(readdirSync(outside)).toEqual([hex]);
  expect(readdirSync(path)).toEqual(expect.arrayContaining(['2024', 'abab', a.toString('hex').slice(0, 4)]));
  expect(readdirSync(join(path, '2025')).sort()).toEqual([`2025${hex.slice(4)}`, hex].sort());
});

test('an index by any name keeps its chunks, also as the only one to keep, and stays', async () => {
  const { path, first, second, has, a, b, shared, lost } = await filled();
  await rename(join(path, `${first.id}.caibx`), join(path, 'school.caibx'));
  await cleanStore(path, { what: 'unnamed chunks', isDryRun: false, nowMs: Date.now() });
  expect(await has(a, b, shared, lost)).toEqual([true, true, true, false]);
  await cleanStore(path, { what: { otherThan: [second.id] }, isDryRun: false, nowMs: Date.now() });
  expect(await has(a, b, shared)).toEqual([false, true, true]);
  expect(readdirSync(path)).toContain('school.caibx');
  await cleanStore(path, { what: { otherThan: [first.id] }, isDryRun: false, nowMs: Date.now() });
  expect(await has(b, shared)).toEqual([false, true]);
  expect(readdirSync(path)).not.toContain(`${second.id}.caibx`);
});
