import { closeSync, mkdtempSync, readSync, rmSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { connectUnix } from '../../../../src/linux/socket/unix-socket.ts';

const directory = mkdtempSync(join(tmpdir(), 'viver-unix-'));
afterAll(() => rmSync(directory, { recursive: true }));

test('a raw socket is connected and carries bytes both ways', async () => {
  const path = join(directory, 'socket');
  const { promise: got, resolve } = Promise.withResolvers<string>();
  const server = createServer((socket) =>
    socket.once('data', (data) => socket.end(data, () => resolve(data.toString()))),
  );
  await new Promise<void>((listening) => server.listen(path, listening));
  const fd = connectUnix(path);
  writeSync(fd, 'ping');
  expect(await got).toBe('ping');
  const answer = Buffer.alloc(10);
  // It blocks, as the kernel's own users of a socket expect.
  expect(answer.toString('utf8', 0, readSync(fd, answer))).toBe('ping');
  closeSync(fd);
  server.close();
});

test('a socket that is not there, and a path that no socket can have, are named', () => {
  expect(() => connectUnix('/no/such/socket')).toThrow('connect /no/such/socket: ENOENT (No such file or directory)');
  expect(() => connectUnix(`/${'a'.repeat(107)}`)).toThrow('ENAMETOOLONG');
});
