import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeChunkIndex } from '../../../src/image/chunk-index.ts';
import { ChunkCorruptError } from '../../../src/image/chunk-source.ts';
import {
  ChunkStore,
  chunkPath,
  packChunk,
  packedLimit,
  storeChunks,
  unpackChunk,
} from '../../../src/image/chunk-store.ts';
import { casyncMake, noise, sha256, temporaryFolder } from './images.ts';

function storeIn(folder: { at(name: string): string }): ChunkStore {
  return new ChunkStore(folder.at('s.castr'));
}

/** Puts a file where the store looks for the chunk. */
function plant(store: ChunkStore, digest: string, content: Uint8Array, suffix?: string): void {
  const path = `${store.path}/${chunkPath(digest, suffix)}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

async function listed(store: ChunkStore): Promise<string[]> {
  return (await Array.fromAsync(store.list())).sort();
}

describe('ChunkStore', () => {
  test('gives back what was put in, under the name and in the form that casync uses', async () => {
    using folder = temporaryFolder();
    const store = storeIn(folder);
    const bytes = noise(100_000);
    const digest = sha256(bytes);
    expect(await store.has(digest)).toBe(false);
    expect(await store.read(digest)).toBeUndefined();
    await store.write(digest, bytes);
    await store.write(digest, bytes);
    expect(await store.has(digest)).toBe(true);
    expect(Buffer.compare((await store.read(digest)) ?? noise(0), bytes)).toBe(0);
    const file = `${store.path}/${digest.slice(0, 4)}/${digest}.cacnk`;
    expect(statSync(file).mode & 0o777).toBe(0o444);
    expect(Buffer.compare(execFileSync('zstd', ['-dcq', file]), bytes)).toBe(0);
  });

  test('lists its chunks and nothing else, and forgets what is removed', async () => {
    using folder = temporaryFolder();
    const store = storeIn(folder);
    expect(await listed(store)).toEqual([]);
    const chunks = [noise(10, 1), noise(10, 2), noise(10, 3)];
    const digests = chunks.map(sha256).sort();
    for (const bytes of chunks) await store.write(sha256(bytes), bytes);
    const [first = '', second = ''] = digests;
    plant(store, first, noise(3), '.0123.tmp');
    writeFileSync(`${store.path}/README`, 'hello');
    mkdirSync(`${store.path}/zzzz`);
    expect(await listed(store)).toEqual(digests);
    await store.remove(second);
    await store.remove(second);
    expect(await listed(store)).toEqual(digests.filter((digest) => digest !== second));
    expect(readdirSync(store.path)).not.toContain(second.slice(0, 4));
    expect(await store.read(second)).toBeUndefined();
  });

  test('is written to by many at once, the same chunk too', async () => {
    using folder = temporaryFolder();
    const store = storeIn(folder);
    const chunks = Array.from({ length: 20 }, (_, i) => noise(50_000, i % 5));
    await Promise.all(chunks.map((bytes) => new ChunkStore(store.path).write(sha256(bytes), bytes)));
    expect(await listed(store)).toEqual([...new Set(chunks.map(sha256))].sort());
    expect(readdirSync(store.path, { recursive: true }).filter((name) => String(name).endsWith('.tmp'))).toEqual([]);
  });

  test('refuses a file that holds other bytes, is cut short, or is no zstd', async () => {
    using folder = temporaryFolder();
    const store = storeIn(folder);
    const bytes = noise(10_000);
    const digest = sha256(bytes);
    const packed = zstdCompressSync(bytes);
    plant(store, digest, zstdCompressSync(noise(10_000, 2)));
    await expect(store.read(digest)).rejects.toThrow(`s.castr: chunk ${digest} holds other bytes`);
    for (const broken of [packed.subarray(0, 5000), noise(5000), new Uint8Array(0), Buffer.concat([packed, packed])]) {
      plant(store, digest, broken);
      await expect(store.read(digest)).rejects.toThrow(ChunkCorruptError);
    }
  });

  test('does not let a small file unpack into all memory', async () => {
    using folder = temporaryFolder();
    const store = storeIn(folder);
    const digest = sha256(noise(1));
    const bomb = zstdCompressSync(new Uint8Array(200_000_000));
    expect(bomb.length).toBeLessThan(20_000);
    plant(store, digest, bomb);
    await expect(store.read(digest, 65536)).rejects.toThrow('unpacks to more than 65536 bytes');
    plant(store, digest, noise(packedLimit(65536) + 1));
    await expect(store.read(digest, 65536)).rejects.toThrow('more than its chunk can');
  });

  test('reads chunks that were stored unpacked', async () => {
    using folder = temporaryFolder();
    const store = storeIn(folder);
    const bytes = noise(1000);
    plant(store, sha256(bytes), bytes, '');
    expect(Buffer.compare((await store.read(sha256(bytes), 1000)) ?? noise(0), bytes)).toBe(0);
    expect(await store.has(sha256(bytes))).toBe(true);
    expect(await listed(store)).toEqual([sha256(bytes)]);
    await store.remove(sha256(bytes));
    expect(await listed(store)).toEqual([]);
  });

  test.each(['', '../../etc/passwd', 'ab'.repeat(31), 'AB'.repeat(32), `${'ab'.repeat(32)}\n`])(
    'takes %j for no chunk name',
    async (digest) => {
      const store = new ChunkStore('/nonexistent');
      await expect(store.read(digest)).rejects.toThrow("is no chunk's name");
      await expect(store.write(digest, noise(1))).rejects.toThrow("is no chunk's name");
      await expect(store.remove(digest)).rejects.toThrow("is no chunk's name");
    },
  );

  test.each(['sha256', 'sha512-256'] as const)('reads the store that casync made of an image by %s', async (digest) => {
    using folder = temporaryFolder();
    const image = Buffer.concat([noise(1_000_000), new Uint8Array(600_000), noise(500_000, 2)]);
    writeFileSync(folder.at('image'), image);
    await casyncMake(folder.at('image'), folder.at('image.caibx'), folder.at('s.castr'), undefined, digest);
    const index = decodeChunkIndex(readFileSync(folder.at('image.caibx')));
    const source = storeChunks(storeIn(folder), index);
    const chunks: Uint8Array[] = [];
    for (let i = 0; i < index.count; i++) chunks.push((await source.read(i)) ?? noise(0));
    expect(Buffer.compare(Buffer.concat(chunks), image)).toBe(0);
    expect(await listed(storeIn(folder))).toHaveLength(new Set(chunks.map(sha256)).size);
    // By the other hash it is another chunk.
    const other = digest === 'sha256' ? 'sha512-256' : 'sha256';
    await expect(storeIn(folder).read(index.digestHex(0), index.length(0), other)).rejects.toThrow('holds other bytes');
  });
});

test('any chunk unpacks to itself, and packed is never larger than the limit', async () => {
  const chunks = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 2000 }),
    fc.integer({ min: 1, max: 300_000 }).map((length) => noise(length)),
  );
  await fc.assert(
    fc.asyncProperty(chunks, async (bytes) => {
      const packed = await packChunk(bytes);
      expect(packed.length).toBeLessThanOrEqual(packedLimit(bytes.length));
      expect(Buffer.compare(await unpackChunk(packed, bytes.length), bytes)).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('whatever is unpacked, it gives bytes within the bound or a ChunkCorruptError', async () => {
  const packed = zstdCompressSync(noise(3000));
  const edits = fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.oneof(edits, fc.uint8Array({ maxLength: 100 })), async (input) => {
      const bytes = input instanceof Uint8Array ? input : Uint8Array.from(packed);
      if (!(input instanceof Uint8Array)) for (const [at, value] of input) bytes[at] = value;
      const result = await unpackChunk(bytes, 3000).catch((error: unknown) => error);
      if (result instanceof Uint8Array) expect(result.length).toBeLessThanOrEqual(3000);
      else expect(result).toBeInstanceOf(ChunkCorruptError);
    }),
  );
});
