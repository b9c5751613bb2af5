/** An image in memory, and nodes on real sockets of this machine that share it. */
import { hash, randomBytes } from 'node:crypto';
import { afterEach } from 'vitest';
import { FieldNode } from '../../../src/field/node.ts';
import type { FieldNodeOptions } from '../../../src/field/node-options.ts';
import type { Medium } from '../../../src/field/store/medium-layer.ts';
import { type ChunkIndex, createChunkIndex } from '../../../src/image/chunk-index.ts';

export interface MemoryImage {
  readonly content: Buffer;
  readonly index: ChunkIndex;
  readonly medium: Medium;
  chunk(i: number): Buffer;
}

/** So many chunks of so many bytes each. */
export function imageInMemory(count: number, length: number, content = randomBytes(count * length)): MemoryImage {
  const chunk = (i: number): Buffer => content.subarray(i * length, (i + 1) * length);
  const index = createChunkIndex(
    Float64Array.from({ length: count }, (_, i) => (i + 1) * length),
    Buffer.concat(Array.from({ length: count }, (_, i) => hash('sha256', chunk(i), 'buffer'))),
  );
  const read = async (target: Uint8Array, offset: number): Promise<void> => {
    target.set(content.subarray(offset, offset + target.length));
  };
  return { content, index, medium: { name: 'memory', size: content.length, read }, chunk };
}

/** Starts nodes of an image, which end with the test. */
export function starterOf({ id }: ChunkIndex): (options: Partial<FieldNodeOptions>) => Promise<FieldNode> {
  const nodes: FieldNode[] = [];
  afterEach(() => {
    for (const node of nodes.splice(0)) node.close();
  });
  return async (options) => {
    const base = { id, name: 'test', listen: { host: '127.0.0.1', port: 0 }, keep: 1 << 30, multicast: false };
    const node = await FieldNode.start({ ...base, peers: [], log: () => {}, ...options });
    nodes.push(node);
    return node;
  };
}
