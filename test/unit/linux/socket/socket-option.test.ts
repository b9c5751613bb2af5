import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import {
  setCongestionControl,
  setReceiveLowWater,
  unacknowledgedBytes,
} from '../../../../src/linux/socket/socket-option.ts';

test('a server takes a way of congestion control that the kernel has, and refuses others', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(setCongestionControl(server, 'reno')).toBe(true);
  expect(execFileSync('ss', ['-tlnHi', `sport = :${port}`], { encoding: 'utf8' })).toMatch(/\breno\b/);
  expect(setCongestionControl(server, 'no-such-way')).toBe(false);
  server.close();
  await once(server, 'close');
  expect(setCongestionControl(server, 'reno')).toBe(false);
});

test('a socket with a low-water mark is heard when so many bytes are there, or it has ended', async () => {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer({ noDelay: true }, resolve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(reader, 'connect');
  const writer = await promise;
  expect(setReceiveLowWater(reader, 100)).toBe(true);
  const heard: number[] = [];
  reader.on('data', ({ length }) => heard.push(length));
  // Time for the first piece to be heard by itself, were it not for the mark.
  const pause = (): Promise<void> => new Promise((done) => setTimeout(done, 100));
  writer.write(Buffer.alloc(60));
  await pause();
  const enough = once(reader, 'data');
  writer.write(Buffer.alloc(60));
  await enough;
  writer.write(Buffer.alloc(30));
  await pause();
  writer.end();
  await once(reader, 'end');
  expect(heard).toEqual([120, 30]);
  expect(setReceiveLowWater(reader.destroy(), 1)).toBe(false);
  server.close();
});

test('what a reader has no room for is not acknowledged, until it has read', async () => {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer({ noDelay: true }, resolve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const writer = await promise;
  expect(unacknowledgedBytes(writer)).toBe(0);
  let sent = 0;
  // Nobody reads: the reader's buffers fill.
  while (writer.writableLength === 0) {
    writer.write(Buffer.alloc(1 << 16));
    sent += 1 << 16;
    await new Promise((done) => setTimeout(done, 1));
  }
  expect(unacknowledgedBytes(writer)).toBeGreaterThan(0);
  let received = 0;
  reader.on('data', ({ length }) => (received += length));
  await expect.poll(() => unacknowledgedBytes(writer) === 0 && received === sent, { timeout: 30_000 }).toBe(true);
  writer.destroy();
  expect(unacknowledgedBytes(writer)).toBeUndefined();
  reader.destroy();
  server.close();
});
