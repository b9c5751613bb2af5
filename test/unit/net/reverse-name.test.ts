import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { reverseName } from '../../../src/net/reverse-name.ts';

const open = async (): Promise<Socket> => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
};
const placeOf = (socket: Socket): string => `127.0.0.1:${socket.address().port}`;

/** A name server (RFC 1035) that calls every address by these names, each label as bytes. */
async function serverOf(names: readonly string[]): Promise<Socket> {
  const socket = await open();
  socket.on('message', (question, from) => {
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(names.length, 6);
    head.writeUInt16BE(0, 10);
    const answers = names.map((name) => {
      const labels = name
        .split('.')
        .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
      const data = Buffer.concat([...labels, Buffer.alloc(1)]);
      const row = Buffer.from('c00c000c00010000003c0000', 'hex');
      row.writeUInt16BE(data.length, 10);
      return Buffer.concat([row, data]);
    });
    const end = question.indexOf(0, 12) + 5;
    socket.send(Buffer.concat([head, question.subarray(12, end), ...answers]), from.port, from.address);
  });
  return socket;
}

test.each([
  [['pc7.school.test'], 'pc7.school.test'],
  [['_srv.test', 'pc7.test'], 'pc7.test'],
  [['localhost', 'pc7.test'], 'pc7.test'],
  [['localhost.localdomain'], undefined],
  [['\x1b[2J\n'], undefined],
  [[`${'a'.repeat(60)}.test`], undefined],
])('of the names %j the first that can be a machine’s is taken', async (names, expected) => {
  const server = await serverOf(names);
  try {
    expect(await reverseName('10.0.0.5', [placeOf(server)])).toBe(expected);
  } finally {
    server.close();
  }
});

test('dozens of silent servers are not asked for longer than six seconds', async () => {
  const silent = await Promise.all(Array.from({ length: 12 }, open));
  try {
    const startMs = performance.now();
    expect(await reverseName('10.0.0.5', silent.map(placeOf))).toBeUndefined();
    expect(performance.now() - startMs).toBeLessThan(9000);
  } finally {
    for (const socket of silent) socket.close();
  }
}, 20_000);
