import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { measureField } from '../../../src/field/field-speed.ts';
import { FieldNode } from '../../../src/field/node.ts';
import { fieldStatus } from '../../../src/field/status.ts';
import type { ChunkIndex } from '../../../src/image/chunk-index.ts';
import { makeChunkIndex } from '../../../src/image/make-index.ts';

const HOST = '127.0.0.1';
const content = randomBytes(6 << 20);
const file = {
  name: 'memory',
  size: content.length,
  read: async (target: Uint8Array, offset: number): Promise<void> => {
    target.set(content.subarray(offset, offset + target.length));
  },
};

async function startHolder(index: ChunkIndex): Promise<FieldNode> {
  const listen = { host: HOST, port: 0 };
  const node = await FieldNode.start({
    ...{ id: index.id, name: 'test', index, medium: file, listen, peers: [], multicast: false, keep: 1 << 30 },
    log: () => {},
  });
  onTestFinished(() => node.close());
  return node;
}

test('a field is joined, a few megabytes are read, and it is left again', async () => {
  const index = await makeChunkIndex(file);
  const holder = await startHolder(index);
  const sample = { host: HOST, index, peers: [holder.address], key: undefined };
  expect(await measureField(sample, AbortSignal.timeout(20_000))).toBeGreaterThan(0);
  expect(holder.traffic.toPeers).toBeGreaterThan(1 << 20);
  expect(holder.traffic.toPeers).toBeLessThanOrEqual(content.length);
  // On a busy machine the goodbye may come late, or not: then it is found out.
  const peers = () => fieldStatus(holder, { id: index.id, name: 'test' }).peers;
  await expect.poll(peers, { timeout: 30_000 }).toEqual([]);
});

test('of a field where nobody has the image nothing is said: it ends with its signal', async () => {
  const index = await makeChunkIndex(file);
  const sample = { host: HOST, index, peers: [`${HOST}:1`], key: undefined };
  await expect(measureField(sample, AbortSignal.timeout(300))).rejects.toThrow(/timeout/);
});
