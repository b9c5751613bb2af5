import { linkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encode } from '../../../src/codec/struct.ts';
import type { BlockSource } from '../../../src/nbd/block-source.ts';
import { COMMAND, clientFlags, ERROR, exportReply, greeting, OPTION, REPLY } from '../../../src/nbd/protocol.ts';
import { infoData, optionBytes, RawClient, requestBytes } from './raw-client.ts';
import { BYTES, directory, fromMemory, heldSource, logged, SIZE, serve, settle, until } from './served.ts';

test('a read brings the bytes asked for, on a unix and on a TCP socket', async () => {
  const [server, unix] = await serve(fromMemory);
  for (const address of [unix, await server.listen({ host: '127.0.0.1', port: 0 })]) {
    const client = await RawClient.attached(address);
    client.read(1, 12345, 54321);
    const { error, data } = await client.reply(() => 54321);
    expect([error, data.equals(BYTES.subarray(12345, 12345 + 54321))]).toEqual([0, true]);
    client.close();
  }
});

test('GO leads to transmission too, with requests in the same packet', async () => {
  const [, address] = await serve(fromMemory);
  const client = await RawClient.open(address);
  client.send(
    encode(clientFlags, 3),
    optionBytes(OPTION.GO, infoData('debian', [])),
    requestBytes({ command: COMMAND.READ, cookieLow: 5, offset: 8, length: 8 }),
  );
  await client.take(greeting.size);
  expect((await client.optionReply(OPTION.GO)).type).toBe(REPLY.INFO);
  expect((await client.optionReply(OPTION.GO)).type).toBe(REPLY.ACK);
  expect((await client.reply(() => 8)).data.equals(BYTES.subarray(8, 16))).toBe(true);
});

test('with structured replies reads and their errors come as chunks, the rest as before', async () => {
  const [, address] = await serve(fromMemory);
  const client = await RawClient.open(address);
  client.send(
    encode(clientFlags, 3),
    optionBytes(OPTION.STRUCTURED_REPLY),
    optionBytes(OPTION.EXPORT_NAME),
    requestBytes({ command: COMMAND.READ, cookieLow: 1, offset: 16, length: 20_000 }),
    requestBytes({ command: COMMAND.READ, cookieLow: 2, offset: SIZE, length: 1 }),
    requestBytes({ command: COMMAND.TRIM, cookieLow: 3 }),
  );
  await client.take(greeting.size);
  expect((await client.optionReply(OPTION.STRUCTURED_REPLY)).type).toBe(REPLY.ACK);
  await client.take(exportReply.size);
  expect((await client.take(28)).toString('hex')).toBe('668e33ef00010001000000000000000100004e280000000000000010');
  expect((await client.take(20_000)).equals(BYTES.subarray(16, 20_016))).toBe(true);
  expect((await client.take(26)).toString('hex')).toBe('668e33ef00018001000000000000000200000006000000160000');
  expect(await client.reply()).toMatchObject({ cookie: 3, error: ERROR.EPERM });
});

test('a read that waits is passed by others, and answered when its bytes come', async () => {
  const { source, waiting } = heldSource();
  const [, address] = await serve(source);
  const client = await RawClient.attached(address);
  client.read(1, 0, 100);
  client.read(2, 4096, 100);
  await until(() => waiting.length === 2);
  waiting[1]?.release();
  expect((await client.reply(() => 100)).cookie).toBe(2);
  waiting[0]?.release();
  const late = await client.reply(() => 100);
  expect([late.cookie, late.data.equals(BYTES.subarray(0, 100))]).toEqual([1, true]);
});

test('reads under way are aborted when the client goes', async () => {
  const { source, waiting } = heldSource();
  const [server, address] = await serve(source);
  const client = await RawClient.attached(address);
  client.read(1, 0, 100);
  await until(() => waiting.length === 1);
  client.close();
  await until(() => server.connections === 0);
  expect(waiting[0]?.signal.aborted).toBe(true);
});

test('a client that goes with too much in flight is still heard to go', async () => {
  const { source, waiting } = heldSource();
  const [server, address] = await serve(source, { inFlightBytes: 11_000 });
  const client = await RawClient.attached(address);
  for (let i = 0; i < 100; i++) client.read(i, 0, 1000);
  await until(() => waiting.length === 2);
  client.close();
  await until(() => server.connections === 0);
  expect(waiting.map(({ signal }) => signal.aborted)).toEqual([true, true]);
});

test('reads under way are aborted when the server closes, and it takes no more clients', async () => {
  const { source, waiting } = heldSource();
  const [server, address] = await serve(source);
  const client = await RawClient.attached(address);
  client.read(1, 0, 100);
  await until(() => waiting.length === 1);
  await server.close();
  expect(waiting[0]?.signal.aborted).toBe(true);
  await client.closed();
  await expect(RawClient.open(address)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
});

test('wrong requests get the protocol’s errors and the connection goes on', async () => {
  const [, address] = await serve(fromMemory);
  const client = await RawClient.attached(address);
  client.send(
    requestBytes({ cookieLow: 1, offset: SIZE, length: 1 }),
    requestBytes({ cookieLow: 2, offset: 2 ** 52, length: 1 }),
    requestBytes({ cookieLow: 3, length: 0xffffffff }),
    requestBytes({ cookieLow: 4, command: 99 }),
    requestBytes({ cookieLow: 5, command: COMMAND.WRITE, length: 70_000 }),
    new Uint8Array(70_000),
    requestBytes({ cookieLow: 6, command: COMMAND.TRIM, length: 512 }),
    requestBytes({ cookieLow: 7, command: COMMAND.FLUSH }),
    requestBytes({ cookieLow: 8, offset: SIZE - 3, length: 3 }),
  );
  const errors: Record<number, number> = {};
  for (let i = 0; i < 8; i++) {
    const { cookie, error } = await client.reply((done) => (done === 8 ? 3 : 0));
    errors[cookie] = error;
  }
  const { EINVAL, EPERM } = ERROR;
  expect(errors).toEqual({ 1: EINVAL, 2: EINVAL, 3: EINVAL, 4: EINVAL, 5: EPERM, 6: EPERM, 7: 0, 8: 0 });
});

test('ABORT is acknowledged and the connection closed', async () => {
  const [server, address] = await serve(fromMemory);
  const client = await RawClient.open(address);
  client.send(encode(clientFlags, 3), optionBytes(OPTION.ABORT));
  await client.take(greeting.size);
  expect((await client.optionReply(OPTION.ABORT)).type).toBe(REPLY.ACK);
  await client.closed();
  client.close();
  await until(() => server.connections === 0);
  expect(logged).toEqual([]);
});

test('after DISC what was asked before it is still answered', async () => {
  const { source, waiting } = heldSource();
  const [, address] = await serve(source);
  const client = await RawClient.attached(address);
  client.send(
    requestBytes({ cookieLow: 1, length: 50 }),
    requestBytes({ cookieLow: 2, command: COMMAND.FLUSH }),
    requestBytes({ command: COMMAND.DISC }),
    requestBytes({ cookieLow: 3, length: 50 }),
  );
  expect((await client.reply()).cookie).toBe(2);
  waiting[0]?.release();
  expect((await client.reply(() => 50)).cookie).toBe(1);
  expect(await client.closed()).toHaveLength(0);
  expect(waiting).toHaveLength(1);
});

test('after DISC and the end of its own side a client gets what it is owed', async () => {
  const { source, waiting } = heldSource();
  const [, address] = await serve(source);
  const client = await RawClient.attached(address);
  client.send(requestBytes({ cookieLow: 1, length: 50 }), requestBytes({ command: COMMAND.DISC }));
  client.socket.end();
  await until(() => waiting.length === 1);
  await settle();
  expect(waiting[0]?.signal.aborted).toBe(false);
  waiting[0]?.release();
  expect((await client.reply(() => 50)).cookie).toBe(1);
  expect(await client.closed()).toHaveLength(0);
});

test('answers are owed too that wait behind others when the client ends its side', async () => {
  const { source, waiting } = heldSource();
  const [, address] = await serve(source, { inFlightBytes: 10_000 });
  const client = await RawClient.attached(address);
  const reads = Array.from({ length: 30 }, (_, i) => requestBytes({ cookieLow: i, length: 1000 }));
  client.send(...reads, requestBytes({ command: COMMAND.DISC }));
  client.socket.end();
  await until(() => waiting.length === 2);
  await settle();
  const release = setInterval(() => {
    for (const read of waiting) read.release();
  }, 1);
  const cookies = new Set<number>();
  for (let i = 0; i < 30; i++) cookies.add((await client.reply(() => 1000)).cookie);
  clearInterval(release);
  expect(cookies.size).toBe(30);
  expect(await client.closed()).toHaveLength(0);
});

test('a source that fails is asked again: no client ever sees its error', async () => {
  let failures = 3;
  const flaky: BlockSource = {
    size: SIZE,
    read(offset, length) {
      failures -= 1;
      if (failures === 2) throw new Error('thrown');
      return failures >= 0 ? Promise.reject(new Error('no route')) : BYTES.subarray(offset, offset + length);
    },
  };
  const [, address] = await serve(flaky, { retryMs: 1 });
  const client = await RawClient.attached(address);
  client.read(1, 512, 10);
  const { error, data } = await client.reply(() => 10);
  expect([error, data.equals(BYTES.subarray(512, 522))]).toEqual([0, true]);
  expect(logged).toEqual([
    'read of 10 bytes at 512 failed: thrown: trying again',
    'read of 10 bytes at 512 failed: no route: trying again',
    'read of 10 bytes at 512 failed: no route: trying again',
  ]);
});

test('a failed read of a client that has gone is not tried again', async () => {
  let reads = 0;
  const failing: BlockSource = {
    size: SIZE,
    read() {
      reads += 1;
      return Promise.reject(new Error('no route'));
    },
  };
  const [server, address] = await serve(failing, { retryMs: 1500 });
  const client = await RawClient.attached(address);
  client.read(1, 0, 10);
  await until(() => reads === 1);
  client.close();
  await until(() => server.connections === 0);
  await new Promise((resolve) => setTimeout(resolve, 1600));
  expect(reads).toBe(1);
});

test('a socket left behind by a dead server is replaced; a served one is not', async () => {
  const path = join(directory, 'left.sock');
  const dying = createServer().listen(`${path}.dying`);
  await new Promise((resolve) => dying.once('listening', resolve));
  linkSync(`${path}.dying`, path);
  const [server] = await serve(fromMemory);
  await expect(server.listen({ path })).rejects.toThrow('EADDRINUSE');
  await new Promise((resolve) => dying.close(resolve));
  await server.listen({ path });
});

test('the kernel’s socket begins with requests', async () => {
  const [server] = await serve(fromMemory);
  const path = join(directory, 'kernel.sock');
  const listener = createServer({ allowHalfOpen: true }, (socket) => server.serveKernel(socket)).listen(path);
  const client = await RawClient.open({ path });
  client.read(1, 100, 20);
  expect((await client.reply(() => 20)).data.equals(BYTES.subarray(100, 120))).toBe(true);
  client.close();
  listener.close();
});

test('any reads, split into any packets and answered in any order, bring the right bytes', async () => {
  const shuffled: BlockSource = {
    size: SIZE,
    read(offset, length) {
      const bytes = BYTES.subarray(offset, offset + length);
      if (offset % 3 === 0) return bytes;
      if (offset % 3 === 1) return Promise.resolve(bytes);
      return new Promise((resolve) => setTimeout(() => resolve(bytes), offset % 5));
    },
  };
  const [, address] = await serve(shuffled, { inFlightBytes: 300_000 });
  const read = fc.record({ offset: fc.nat(SIZE), length: fc.oneof(fc.nat(100), fc.nat(100_000)) });
  await fc.assert(
    fc.asyncProperty(fc.array(read, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 5 }), async (reads, cuts) => {
      const client = await RawClient.attached(address);
      const asked = reads.map(({ offset, length }) => ({ offset, length: Math.min(length, SIZE - offset) }));
      const bytes = Buffer.concat(asked.map((each, i) => requestBytes({ ...each, cookieLow: i })));
      const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      for (const [i, end] of ends.entries()) {
        client.send(bytes.subarray(ends[i - 1] ?? 0, end));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const left = new Set(asked.keys());
      while (left.size > 0) {
        const { cookie, data } = await client.reply((i) => asked[i]?.length ?? 0);
        const { offset = 0, length = 0 } = asked[cookie] ?? {};
        expect(left.delete(cookie)).toBe(true);
        expect(data.equals(BYTES.subarray(offset, offset + length))).toBe(true);
      }
      client.close();
    }),
    { numRuns: 60 },
  );
});
