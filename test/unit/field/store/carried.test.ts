/** What a node has in memory of one image goes to the node of another one, as when a machine changes its image. */
import { hash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FieldNode } from '../../../../src/field/node.ts';
import type { FieldNodeOptions } from '../../../../src/field/node-options.ts';
import { CarriedChunks } from '../../../../src/image/carried-chunks.ts';
import { createChunkIndex } from '../../../../src/image/chunk-index.ts';
import { until, within } from '../stranger.ts';

const CHUNK = 20_000;
const COUNT = 60;

/** An image of these chunks, on a medium. */
function imageOf(chunks: readonly Buffer[]) {
  const content = Buffer.concat(chunks);
  const index = createChunkIndex(
    Float64Array.from({ length: chunks.length }, (_, i) => (i + 1) * CHUNK),
    Buffer.concat(chunks.map((chunk) => hash('sha256', chunk, 'buffer'))),
  );
  const read = async (target: Uint8Array, offset: number) =>
    void target.set(content.subarray(offset, offset + target.length));
  return { content, index, medium: { name: 'memory', size: content.length, read } };
}

const old = Array.from({ length: COUNT }, (_, i) => (i % 6 === 5 ? Buffer.alloc(CHUNK) : randomBytes(CHUNK)));
/** Three chunks are new, and all lie elsewhere. */
const [before, after] = [imageOf(old), imageOf([...[1, 2, 3].map(() => randomBytes(CHUNK)), ...old.slice(3)])];

let work: string;
let directory: string;
const nodes: FieldNode[] = [];
const logs: string[] = [];
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'viver-carried-'));
  directory = join(work, 'carried');
  mkdirSync(directory);
});
afterEach(() => {
  for (const node of nodes.splice(0)) node.close();
  rmSync(work, { recursive: true, force: true, maxRetries: 9, retryDelay: 50 });
  logs.length = 0;
});

async function start(of: typeof before, options: Partial<FieldNodeOptions>): Promise<FieldNode> {
  const none = { peers: [], multicast: false, log: (line: string) => void logs.push(line) };
  const listen = { host: '127.0.0.1', port: 0 };
  const node = await FieldNode.start({ id: of.index.id, name: '', listen, keep: 1 << 30, ...none, ...options });
  nodes.push(node);
  return node;
}

async function readAll(node: FieldNode, { content }: typeof before): Promise<void> {
  await within(node.ready(), 10_000, 'the index');
  for (let at = 0; at < content.length; at += 3 * CHUNK) {
    const bytes = await within(Promise.resolve(node.source.read(at, 3 * CHUNK)), 20_000, `the image at ${at}`);
    expect(Buffer.compare(bytes, content.subarray(at, at + 3 * CHUNK))).toBe(0);
  }
}

/** A node that read all of the first image, and left it in the directory. */
async function leave(options: Partial<FieldNodeOptions> = {}): Promise<number> {
  const holder = await start(before, { index: before.index, medium: before.medium });
  const node = await start(before, { peers: [holder.address], ...options });
  await readAll(node, before);
  await node.leave();
  return await node.carryOver(directory, 1 << 30);
}

const carried = () => CarriedChunks.open(directory, (line) => logs.push(line));

test.each([
  ['all of it', 1 << 30],
  ['as much as it may', 40 * CHUNK],
])('a node of the next image fetches what changed, and keeps %s', async (_, keep) => {
  const isWhole = keep > before.content.length;
  // Of equal chunks one.
  expect(await leave()).toBe((COUNT - COUNT / 6 + 1) * CHUNK);
  const holder = await start(after, { index: after.index, medium: after.medium });
  const node = await start(after, { peers: [holder.address], carried: await carried(), keep });
  await readAll(node, after);
  if (isWhole) expect(node.traffic.fromPeers).toBe(3 * CHUNK);
  await until('all is taken into memory', () => !existsSync(directory), 20_000);
  expect(logs.filter((line) => line.includes('cannot'))).toEqual([]);
  // From memory, now that the directory is gone.
  if (isWhole) holder.close();
  await readAll(node, after);
});

test('what was taken over goes to others, and once more to the next system, taken into memory or not', async () => {
  await leave();
  const node = await start(after, { index: after.index, carried: await carried() });
  const other = await start(after, { peers: [node.address] });
  const bytes = await within(
    other.ready().then(() => other.source.read(3 * CHUNK, CHUNK)),
    20_000,
    'a chunk',
  );
  expect(Buffer.compare(bytes, old[3] ?? bytes.subarray(1))).toBe(0);
  await node.leave();
  const next = join(work, 'next');
  mkdirSync(next);
  // All but the three that it lacks.
  expect(await node.carryOver(next, 1 << 30)).toBe((COUNT - 3 - COUNT / 6 + 1) * CHUNK);
});

test('what was carried over and is spoilt comes from others', async () => {
  await leave();
  writeFileSync(join(directory, '0'), randomBytes(COUNT * CHUNK));
  const holder = await start(after, { index: after.index, medium: after.medium });
  const node = await start(after, { peers: [holder.address], carried: await carried() });
  await readAll(node, after);
  await until('nothing of it stays', () => !existsSync(directory), 20_000);
});
