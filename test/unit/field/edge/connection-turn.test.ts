import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { Connection, type ConnectionEvents, type Identity } from '../../../../src/field/edge/connection.ts';
import { within } from '../stranger.ts';

const CHUNK = randomBytes(256 << 10);
const CHUNKS = 128;

test('what a fast neighbour sends does not keep the event loop from its other work', async () => {
  const identity = (node: number): Identity => ({
    ...{ image: new Uint8Array(32), life: 1, port: 20_070, key: undefined },
    node,
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  let [inTurn, most, whole] = [0, 0, 0];
  const events: ConnectionEvents = {
    ...{ opened: () => {}, control: () => {}, closed: () => {}, dataStart: () => {}, indexStart: () => {} },
    body: (piece) => {
      inTurn += piece.length;
      most = Math.max(most, inTurn);
    },
    bodyEnd: () => {
      if (++whole === CHUNKS) resolve();
    },
  };
  const server = createServer((socket) => {
    const giver: Connection = Connection.accept(2, socket, identity(2), {
      ...events,
      opened: () => {
        for (let chunk = 0; chunk < CHUNKS; chunk++) giver.give(chunk, false, CHUNK);
      },
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const taker = Connection.dial(1, `127.0.0.1:${port}`, undefined, identity(1), events);
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    inTurn = 0;
    turns++;
    if (!isOver) setImmediate(turn);
  };
  turn();
  try {
    await within(promise, 20_000, 'all chunks');
  } finally {
    isOver = true;
    taker.close('over');
    server.close();
  }
  expect(most).toBeLessThanOrEqual(3 << 19);
  expect(turns).toBeGreaterThan((CHUNKS * CHUNK.length) / (3 << 19));
});
