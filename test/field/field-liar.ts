/** A node of the field that gives other bytes than the index says, of the right length. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FieldNode } from '../../src/field/node.ts';
import { formatNode } from '../../src/field/record.ts';
import { ChunkIndex } from '../../src/image/chunk-index.ts';
import { readIndexFile } from '../../src/image/index-file.ts';
import type { TestImage } from './field-harness.ts';

export interface Liar extends AsyncDisposable {
  readonly id: string;
}

/** It believes its bytes itself: its own index is of them, under the other image's id. */
export async function startLiar(image: TestImage, host: string, peer: string): Promise<Liar> {
  const index = await readIndexFile(image.path.replace(/\.sqfs$/, '.caibx'));
  const { sizes, ends, featureFlags } = index;
  const bytes = readFileSync(image.path).subarray(0, image.size);
  const altered = Buffer.from(bytes.map((byte) => byte ^ 255));
  const digests = Buffer.concat(
    Array.from({ length: index.count }, (_, i) =>
      hash('sha256', altered.subarray(index.start(i), index.start(i) + index.length(i)), 'buffer'),
    ),
  );
  const node = await FieldNode.start({
    id: image.id,
    name: 'false',
    index: new ChunkIndex(image.id, { sizes, ends, digests, featureFlags }),
    medium: {
      name: 'false',
      size: image.size,
      read: async (target, offset) => void target.set(altered.subarray(offset, offset + target.length)),
    },
    listen: { host, port: 20_070 },
    peers: [peer],
    multicast: false,
    keep: 0,
    log: () => {},
  });
  return { id: formatNode(node.node), [Symbol.asyncDispose]: async () => node.close() };
}
