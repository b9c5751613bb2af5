/** Nodes whose store lies on a disk that does not keep up with what comes. */
import { expect, test } from 'vitest';
import type { FieldNode } from '../../../../src/field/node.ts';
import { fieldStatus } from '../../../../src/field/status.ts';
import type { ChunkDirectory } from '../../../../src/field/store/disk-layer.ts';
import { imageInMemory, starterOf } from '../small-field.ts';
import { until, within } from '../stranger.ts';

const CHUNK = 64 << 10;
const COUNT = 1200;
const { content, index, medium, chunk: chunkOf } = imageInMemory(COUNT, CHUNK);
const start = starterOf(index);
const MIB = 1 << 20;

/** A directory on a disk that takes nothing, and with `isSilent` gives nothing, until it is let go on. */
function stuckDisk(isSilent = false): { store: ChunkDirectory; files: Map<string, Uint8Array>; goOn: () => void } {
  const files = new Map<string, Uint8Array>();
  const { promise: going, resolve: goOn } = Promise.withResolvers<void>();
  const store: ChunkDirectory = {
    has: async (digest) => files.has(digest),
    isTorn: async () => false,
    read: async (digest) => {
      if (isSilent) await going;
      return files.get(digest);
    },
    write: async (digest, bytes) => {
      await going;
      files.set(digest, bytes);
    },
    remove: async (digest) => {
      await going;
      files.delete(digest);
    },
    async *list() {
      yield* files.keys();
    },
  };
  return { store, files, goOn };
}

const statusOf = (node: FieldNode) => fieldStatus(node, { id: index.id, name: '' });

async function readAll(node: FieldNode): Promise<void> {
  for (let offset = 0; offset < content.length; offset += MIB) {
    const length = Math.min(MIB, content.length - offset);
    const bytes = await within(Promise.resolve(node.source.read(offset, length)), 20_000, `bytes from ${offset} on`);
    expect(Buffer.compare(bytes, content.subarray(offset, offset + length))).toBe(0);
  }
}

test('what waits for a stuck disk is bounded, reads go on, and what was left away comes when the disk does', async () => {
  const holder = await start({ index, medium, keep: 0 });
  const { store, files, goOn } = stuckDisk();
  const node = await start({ peers: [holder.address], store });
  await within(node.ready(), 10_000, 'the index');
  await until('the disk is known to be behind', () => statusOf(node).store?.isBehind === true);
  const before = node.machine.data?.held.count ?? 0;
  await readAll(node);
  const { store: waiting, node: own } = statusOf(node);
  expect(waiting?.waitingBytes).toBeGreaterThan(16 * MIB);
  expect(waiting?.waitingBytes).toBeLessThan(18 * MIB);
  expect(files.size).toBe(0);
  // Beside what waits for the disk no more is held than reads need for a moment, and none of that is promised to others.
  expect(own.held).toBeLessThan(before + (6 * MIB) / CHUNK);
  expect(node.machine.data?.announced.count).toBeLessThan((18 * MIB) / CHUNK);
  expect(waiting?.passedOver).toBeGreaterThan(COUNT - (24 * MIB) / CHUNK);
  goOn();
  await until('all is here', () => node.machine.data?.held.count === COUNT, 30_000);
  await until('all is written', () => files.size === COUNT);
  expect(statusOf(node).store).toMatchObject({ waitingBytes: 0, waitingChunks: 0, isBehind: false });
  await readAll(node);
});

test('what a disk does not give in time is read from others, and when nobody has it, when the disk does', async () => {
  const holder = await start({ index, medium, keep: 0 });
  const { store, files, goOn } = stuckDisk(true);
  for (let chunk = 0; chunk < 8; chunk++) files.set(index.digestHex(chunk), chunkOf(chunk));
  const node = await start({ index, peers: [holder.address], store, readsFirst: true });
  await until('what is in the store is known', () => (node.machine.data?.held.count ?? 0) >= 8);
  const bytes = await within(Promise.resolve(node.source.read(0, 3 * CHUNK)), 15_000, 'a read past the disk');
  expect(Buffer.compare(bytes, content.subarray(0, 3 * CHUNK))).toBe(0);
  holder.close();
  const alone = Promise.resolve(node.source.read(4 * CHUNK, 2 * CHUNK));
  let isHere = false;
  void alone.then(() => {
    isHere = true;
  });
  await until('it is asked for elsewhere', () => node.machine.data?.held.has(4) === false);
  expect(isHere).toBe(false);
  goOn();
  expect(Buffer.compare(await within(alone, 10_000, 'a read'), content.subarray(4 * CHUNK, 6 * CHUNK))).toBe(0);
});

test('a node that leaves waits for a slow disk, and not for a stuck one', async () => {
  const holder = await start({ index, medium, keep: 0 });
  const logs: string[] = [];
  const { store } = stuckDisk();
  const node = await start({ peers: [holder.address], store, log: (line) => void logs.push(line) });
  await within(node.ready(), 10_000, 'the index');
  await until('the disk is known to be behind', () => statusOf(node).store?.isBehind === true);
  await within(node.leave(), 20_000, 'the end');
  expect(logs.filter((line) => /chunks are not in the store/.test(line))).toHaveLength(1);
  expect(logs.filter((line) => /the disk of the store is slow/.test(line))).toHaveLength(1);
});
