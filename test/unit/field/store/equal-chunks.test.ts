/** Nodes of an image many of whose chunks are the same bytes, and disks with no room for what comes. */
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FieldNode } from '../../../../src/field/node.ts';
import type { FieldNodeOptions } from '../../../../src/field/node-options.ts';
import { ChunkHolder } from '../../../../src/field/store/chunk-holder.ts';
import { createChunkIndex } from '../../../../src/image/chunk-index.ts';
import { ChunkStore } from '../../../../src/image/chunk-store.ts';
import { pause, until, within } from '../stranger.ts';

const CHUNK = 4096;
const COUNT = 60;
const different = randomBytes(CHUNK * COUNT);
/** Of three chunks one is zeroes. */
const content = Buffer.concat(
  Array.from({ length: COUNT }, (_, i) =>
    i % 3 === 0 ? Buffer.alloc(CHUNK) : different.subarray(i * CHUNK, (i + 1) * CHUNK),
  ),
);
const chunkOf = (i: number): Buffer => content.subarray(i * CHUNK, (i + 1) * CHUNK);
const index = createChunkIndex(
  Float64Array.from({ length: COUNT }, (_, i) => (i + 1) * CHUNK),
  Buffer.concat(Array.from({ length: COUNT }, (_, i) => hash('sha256', chunkOf(i), 'buffer'))),
);
const medium = {
  name: 'memory',
  size: content.length,
  read: async (target: Uint8Array, offset: number) => target.set(content.subarray(offset, offset + target.length)),
};

let directory: string;
const nodes: FieldNode[] = [];
const logs: string[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'viver-store-'));
});
afterEach(() => {
  for (const node of nodes.splice(0)) node.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 9, retryDelay: 50 });
  logs.length = 0;
});

async function start(options: Partial<FieldNodeOptions>): Promise<FieldNode> {
  const none = { peers: [], multicast: false, log: (line: string) => void logs.push(line) };
  const listen = { host: '127.0.0.1', port: 0 };
  const node = await FieldNode.start({ id: index.id, name: '', listen, keep: 1 << 30, ...none, ...options });
  nodes.push(node);
  return node;
}

async function readAll(node: FieldNode): Promise<void> {
  await within(node.ready(), 10_000, 'the index');
  const bytes = await within(Promise.resolve(node.source.read(0, content.length)), 20_000, 'the whole image');
  expect(Buffer.compare(bytes, content)).toBe(0);
}

test.each([
  ['in memory', () => ({ keep: 1 << 30 }), 0.75],
  ['in a little memory', () => ({ keep: 20 * CHUNK }), 1.5],
  ['in a directory', () => ({ store: new ChunkStore(directory) }), 0.75],
])('equal chunks are fetched once, %s', async (_, kept: () => Partial<FieldNodeOptions>, most) => {
  const holder = await start({ index, medium });
  const reader = await start({ peers: [holder.address], ...kept() });
  await readAll(reader);
  expect(reader.traffic.fromPeers).toBeLessThan(content.length * most);
});

test('one of equal chunks is let go: the file stays as long as another one is held', async () => {
  const events = { trouble: () => {}, unwritten: () => {}, torn: () => {}, behind: () => {}, found: () => {} };
  const store = new ChunkStore(directory);
  const holder = new ChunkHolder({ index, memoryBytes: 0, medium: undefined, store, events });
  holder.keep(0, chunkOf(0), true);
  await until('it is written', () => readdirSync(directory).length > 0);
  expect(Buffer.from(await holder.load(3))).toEqual(chunkOf(0));
  holder.keep(1, chunkOf(1), true);
  await pause(50);
  expect(Buffer.from(await holder.load(57))).toEqual(chunkOf(0));
});

test('a store that is found again serves all that is equal, and is asked while it is still searched', async () => {
  const store = new ChunkStore(directory);
  for (let i = 0; i < COUNT; i++) await store.write(index.digestHex(i), chunkOf(i));
  const slow = new ChunkStore(directory);
  const list = slow.list.bind(slow);
  const gate = Promise.withResolvers<void>();
  slow.list = async function* () {
    await gate.promise;
    yield* list();
  };
  const node = await start({ index, store: slow });
  const bytes = await within(
    Promise.resolve(node.source.read(5 * CHUNK, CHUNK)),
    2000,
    'a read before the search is over',
  );
  expect(Buffer.compare(bytes, chunkOf(5))).toBe(0);
  gate.resolve();
  await until('all is found', () => node.machine.data?.held.count === COUNT);
});

test('a full disk ends the fetching, not the reading', async () => {
  const full = new ChunkStore(directory);
  full.write = async () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  const holder = await start({ index, medium });
  const reader = await start({ peers: [holder.address], store: full });
  await within(reader.ready(), 10_000, 'the index');
  await pause(3000);
  expect(reader.traffic.fromPeers).toBeLessThan(3 * content.length);
  const before = reader.traffic.fromPeers;
  await pause(2000);
  expect(reader.traffic.fromPeers - before).toBeLessThan(content.length / 4);
  for (const i of [1, 2, 59]) {
    const bytes = await within(Promise.resolve(reader.source.read(i * CHUNK, CHUNK)), 5000, 'a read');
    expect(Buffer.compare(bytes, chunkOf(i))).toBe(0);
  }
  expect(logs.filter((line) => /no room to keep more/.test(line))).toHaveLength(1);
});
