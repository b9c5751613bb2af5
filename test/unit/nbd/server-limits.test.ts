import { connect } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encode } from '../../../src/codec/struct.ts';
import type { BlockSource } from '../../../src/nbd/block-source.ts';
import { clientFlags, OPTION } from '../../../src/nbd/protocol.ts';
import { infoData, optionBytes, RawClient, requestBytes } from './raw-client.ts';
import { fromMemory, heldSource, logged, serve, settle, until } from './served.ts';

test('bytes that are no request drop that client and no other', async () => {
  const [, address] = await serve(fromMemory);
  const good = await RawClient.attached(address);
  const bad = await RawClient.attached(address);
  bad.send(Buffer.alloc(28, 1));
  await bad.closed();
  good.read(1, 0, 4);
  expect((await good.reply(() => 4)).error).toBe(0);
  expect(logged).toEqual(['connection dropped: bytes that are no request']);
});

test('a client that does not finish its handshake is dropped', async () => {
  const [server, address] = await serve(fromMemory, { handshakeMs: 20 });
  const silent = await RawClient.open(address);
  const slow = await RawClient.open(address);
  slow.send(encode(clientFlags, 3), optionBytes(OPTION.GO).subarray(0, 5));
  await Promise.all([silent.closed(), slow.closed()]);
  await until(() => server.connections === 0);
  expect(logged).toEqual(new Array(2).fill('connection dropped: no export chosen in time'));
});

test('a handshake cut off at any byte leaves nothing behind', async () => {
  const [server, address] = await serve(fromMemory);
  const bytes = Buffer.concat([encode(clientFlags, 3), optionBytes(OPTION.GO, infoData('debian', [3]))]);
  for (let length = 0; length <= bytes.length; length++) {
    const client = await RawClient.open(address);
    if (length > 0) client.send(bytes.subarray(0, length));
    client.socket.end();
    await client.closed();
    client.close();
  }
  await until(() => server.connections === 0);
});

test('what is here is answered, however many bytes are waited for', async () => {
  const here = 4096;
  const source: BlockSource = {
    size: 2 ** 40,
    read: (offset, length) => (offset < here ? Buffer.alloc(length, 7) : new Promise(() => {})),
  };
  const [, address] = await serve(source);
  const client = await RawClient.attached(address);
  // 128 MiB that nobody has.
  for (let i = 0; i < 64; i++) client.read(i, 2 ** 30, 2 << 20);
  client.read(1000, 0, here);
  expect((await client.reply(() => here)).cookie).toBe(1000);
});

test('a client that asks and never listens is held to the bytes in flight', async () => {
  const { source, waiting } = heldSource(2 ** 40);
  const [, address] = await serve(source, { inFlightBytes: 1_000_000 });
  const client = await RawClient.attached(address);
  for (let i = 0; i < 500; i++) client.read(i, i * 100_000, 100_000);
  // What waits is not here, and costs next to nothing.
  await until(() => waiting.length >= 210);
  await settle();
  expect(waiting.length).toBeLessThan(250);
  client.socket.pause();
  for (let round = 0; round < 40; round++) {
    for (const read of waiting) read.release();
    await settle();
  }
  // What it does not take fills the sockets' own buffers, and then the server stops asking the source.
  expect(waiting.length).toBeLessThan(290);
  client.socket.resume();
  let answered = 0;
  const release = setInterval(
    () =>
      waiting.forEach((read) => {
        read.release();
      }),
    1,
  );
  for (; answered < 500; answered++) {
    const { cookie, data } = await client.reply(() => 100_000);
    expect(data[0]).toBe((cookie * 100_000) % 251);
  }
  clearInterval(release);
});

test('tiny requests count for more than their bytes', async () => {
  const { source, waiting } = heldSource();
  const [, address] = await serve(source, { inFlightBytes: 1_000_000 });
  const client = await RawClient.attached(address);
  client.send(...Array.from({ length: 5000 }, (_, i) => requestBytes({ cookieLow: i, offset: i, length: 1 })));
  await until(() => waiting.length > 0);
  await settle();
  expect(waiting.length).toBeLessThan(250);
});

test('requests without end wait in the socket, not in memory', async () => {
  const { source } = heldSource();
  const [, address] = await serve(source, { inFlightBytes: 10_000 });
  const client = await RawClient.attached(address);
  let taken = 0;
  const flood = Buffer.concat(Array.from({ length: 1000 }, () => requestBytes({ length: 1000 })));
  for (let i = 0; i < 200; i++) client.socket.write(flood, () => void taken++);
  await settle();
  await settle();
  // The server's share is 256 KiB; the system's socket buffers hold the rest.
  expect(taken).toBeLessThan(100);
});

test('a read larger than the bytes in flight may be goes alone', async () => {
  const [, address] = await serve(fromMemory, { inFlightBytes: 1000 });
  const client = await RawClient.attached(address);
  for (let i = 0; i < 5; i++) client.read(i, 0, 500_000);
  for (let i = 0; i < 5; i++) expect((await client.reply(() => 500_000)).cookie).toBe(i);
});

test('any bytes after the handshake end in replies or in a closed connection, and the server lives on', async () => {
  const [server, address] = await serve(fromMemory);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, framed) => {
      const socket = connect('path' in address ? address.path : '');
      socket.on('error', () => {});
      socket.resume();
      const packet = framed ? Buffer.concat([requestBytes({ length: bytes.length }), bytes]) : bytes;
      socket.end(Buffer.concat([encode(clientFlags, 3), optionBytes(OPTION.EXPORT_NAME), packet]));
      await new Promise((resolve) => socket.once('close', resolve));
    }),
    { numRuns: 60 },
  );
  await until(() => server.connections === 0);
});
