/**
 * A node of the field that says it has the image and gives other bytes, of the right lengths:
 * `node test/bench/field/liar.ts IMAGE.sqfs HOST PEER`.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FieldNode } from '../../../src/field/node.ts';
import { formatNode } from '../../../src/field/wire/record.ts';
import { ChunkIndex } from '../../../src/image/chunk-index.ts';
import { readIndexFile } from '../../../src/image/index-file.ts';

export interface Liar extends AsyncDisposable {
  readonly id: string;
}

/** It believes its bytes itself: its own index is of them, under the other image's id. */
export async function startLiar(image: string, host: string, peer: string): Promise<Liar> {
  const index = await readIndexFile(image.replace(/\.sqfs$/, '.caibx'));
  const { sizes, ends, featureFlags, id, size } = index;
  const altered = readFileSync(image).subarray(0, size);
  for (let at = 0; at < altered.length; at += 4096) altered[at] = (altered[at] as number) ^ 255;
  const digests = Buffer.concat(
    Array.from({ length: index.count }, (_, i) =>
      hash('sha256', altered.subarray(index.start(i), index.start(i) + index.length(i)), 'buffer'),
    ),
  );
  const node = await FieldNode.start({
    id,
    name: 'false',
    index: new ChunkIndex(id, { sizes, ends, digests, featureFlags }),
    medium: {
      name: 'false',
      size,
      read: async (target, offset) => void target.set(altered.subarray(offset, offset + target.length)),
    },
    listen: { host, port: 20_070 },
    peers: [peer],
    multicast: !host.startsWith('127.'),
    keep: 0,
    log: () => {},
  });
  return { id: formatNode(node.node), [Symbol.asyncDispose]: async () => node.close() };
}

if (import.meta.main) {
  const [image = '', host = '', peer = ''] = process.argv.slice(2);
  await startLiar(image, host, peer);
}
