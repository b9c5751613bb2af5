import { hash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { Connection } from '../../../src/field/edge/connection.ts';
import { FieldNode } from '../../../src/field/node.ts';
import type { FieldNodeOptions } from '../../../src/field/node-options.ts';
import { ChunkSet } from '../../../src/field/wire/chunk-set.ts';
import { decodeDatagram, encodeDatagram, type Sections } from '../../../src/field/wire/datagram.ts';
import { encodeDataHeader } from '../../../src/field/wire/frame.ts';
import { packHoldings } from '../../../src/field/wire/holdings.ts';
import { makeRecord, STATE_UP } from '../../../src/field/wire/record.ts';
import { summarize } from '../../../src/field/wire/summary.ts';
import { createChunkIndex } from '../../../src/image/chunk-index.ts';

const LENGTH = 100_000;
const HOST = '127.0.0.1';
const content = randomBytes(LENGTH);
const digest = hash('sha256', content, 'buffer');
/** Two chunks, of which the second is nowhere to be had: so nobody is ever done with anybody. */
const index = createChunkIndex(Float64Array.of(LENGTH, 2 * LENGTH), Buffer.concat([digest, randomBytes(32)]));
const medium = {
  name: 'memory',
  size: 2 * LENGTH,
  read: async (target: Uint8Array, offset: number): Promise<void> => {
    if (offset >= LENGTH) throw new Error('unreadable');
    target.set(content.subarray(offset, offset + target.length));
  },
};
const first = new ChunkSet(2);
first.add(0);
const holdings = packHoldings(first, { start: 0, end: 2 });

function start(options: Partial<FieldNodeOptions>): Promise<FieldNode> {
  const listen = { host: HOST, port: 0 };
  const none = { peers: [], multicast: false, log: () => {} };
  return FieldNode.start({ id: index.id, name: 'test', index, listen, keep: 1 << 30, ...none, ...options });
}

/** A node that says it has the chunk, sends the first half of other bytes, and the rest when told to. */
async function startTrickster(
  victim: string,
): Promise<{ sendRest: () => void; asked: Promise<void>; end: () => void }> {
  const asked = Promise.withResolvers<void>();
  let connection: Connection | undefined;
  const server = createServer((socket) => {
    const identity = { image: Buffer.from(index.id, 'hex'), node: 66, life: 1, port, key: undefined };
    const made = Connection.accept(2, socket, identity, {
      opened: () => {},
      control: (frame) => {
        if (frame.kind === 'subscribe') {
          made.send({ kind: 'holdings', window: holdings });
        }
        if (frame.kind !== 'get' || connection !== undefined) return;
        connection = made;
        made.write(encodeDataHeader(0, frame.choose, LENGTH));
        made.write(new Uint8Array(LENGTH / 2).fill(7));
        asked.resolve();
      },
      dataStart: () => {},
      indexStart: () => {},
      body: () => {},
      bodyEnd: () => {},
      closed: () => {},
    });
  }).listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const udp = createSocket('udp4').bind(port, HOST);
  const address = `${HOST}:${port}`;
  const record = makeRecord({ node: 66, life: 1, version: 1, state: STATE_UP, address, summary: summarize(first) });
  const say = (kind: 'join' | 'notify up', sections: Sections): void => {
    const head = { kind, field: index.id.slice(0, 16), sender: 66, chunks: 2, records: [record] };
    udp.send(encodeDatagram({ ...head, ...sections }), Number(victim.split(':')[1]), HOST);
  };
  udp.on('message', (bytes) => {
    const { cookie, question } = decodeDatagram(bytes);
    if (cookie !== undefined) say('join', { cookie });
    if (question !== undefined) say('notify up', { answer: question });
  });
  say('join', {});
  return {
    asked: asked.promise,
    sendRest: () => connection?.write(new Uint8Array(LENGTH / 2).fill(7)),
    end: () => {
      connection?.close('end');
      server.close();
      udp.close();
    },
  };
}

test('what a slow source still sends of a chunk does not touch the good one that came meanwhile', async () => {
  const reader = await start({});
  const trickster = await startTrickster(reader.address);
  const reading = reader.source.read(0, LENGTH);
  await trickster.asked;
  const honest = await start({ medium, peers: [reader.address] });
  try {
    expect(Buffer.compare(await reading, content)).toBe(0);
    trickster.sendRest();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(Buffer.compare(await reader.source.read(0, LENGTH), content)).toBe(0);
  } finally {
    trickster.end();
    reader.close();
    honest.close();
  }
});
