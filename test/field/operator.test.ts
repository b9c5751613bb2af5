/** What a person says to a running daemon, by the command line. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { VIVER } from '../bench/field/runs.ts';
import { type Daemon, FieldTest, hashOf, holdsAll, until } from './field-harness.ts';

const run = promisify(execFile);

async function viver(node: Daemon, ...words: string[]): Promise<string> {
  return (await run(VIVER, ['field', ...words, '--control', node.control])).stdout;
}

function failure(node: Daemon, ...words: string[]): Promise<{ code: number; stderr: string }> {
  return viver(node, ...words).then(
    (stdout) => {
      throw new Error(`went well: ${stdout}`);
    },
    (error: { code: number; stderr: string }) => error,
  );
}

test('a limit holds while it is set, is shown, and is changed while the node runs; reads are right under it', async () => {
  await using field = new FieldTest();
  const holder = field.holder(['--limit', '1M']);
  const node = field.joiner([holder]);
  await node.ready();
  const before = (await holder.status()).traffic.toPeers;
  const begun = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const sent = (await holder.status()).traffic.toPeers - before;
  const seconds = (performance.now() - begun) / 1000;
  expect(sent).toBeLessThan(seconds * 2 ** 20 + (1 << 19));
  expect(sent).toBeGreaterThan(seconds * 2 ** 20 * 0.7 - (1 << 18));
  expect((await holder.status()).limits).toEqual({ up: 2 ** 20, down: null });
  expect(await viver(holder, 'limit')).toBe('1048576/none\n');
  expect(await viver(holder, 'limit', 'none/8M')).toBe('none/8388608\n');
  await until('all is there', () => holdsAll(node, field), 5);
  expect(await hashOf(node)).toBe(field.image.sha256);
  expect(await failure(holder, 'limit', 'fast')).toMatchObject({ code: 2, stderr: expect.stringContaining("'fast'") });
});

/** As RUNES does on a machine that boots from a medium: there is no address yet. */
test('a daemon that is told its address later listens there once it is, and nowhere before', async () => {
  await using field = new FieldTest();
  const words = ['--image', field.image.path, '--name', 'late', '--control', join(field.directory, 'late.sock')];
  const start = () => spawn(VIVER, ['field', 'up', '--listen', '-', ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
  const told = start();
  told.stdin.end('127.250.9.1:20070\n');
  const [ready] = await once(told.stdout, 'data');
  expect(String(ready)).toMatch(/^viver field: ready image=late@\S+ size=\d+ chunks=\d+ node=127\.250\.9\.1:20070\n/);
  const one = field.up(['--id', field.image.id, '--peer', '127.250.9.1:20070']);
  await one.ready();
  told.kill('SIGTERM');
  expect(await once(told, 'exit')).toEqual([0, null]);
  // Whoever was to tell it is gone: so is it, with a word.
  const untold = start();
  untold.stdin.end();
  const [complaint] = await once(untold.stderr, 'data');
  expect(String(complaint)).toContain('--listen -: standard input ended before there was an address');
  expect(await once(untold, 'exit')).toEqual([1, null]);
  // Nobody says anything, and it is told to end.
  const waiting = start();
  const ended = once(waiting, 'exit');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  waiting.kill('SIGTERM');
  await ended;
});

test('counters name what came from whom', async () => {
  await using field = new FieldTest();
  const holder = field.holder();
  const node = field.joiner([holder]);
  await node.ready();
  await until('all is there', () => holdsAll(node, field));
  const { traffic, peers } = await node.status();
  expect(traffic.fromPeers).toBeGreaterThanOrEqual(field.image.size);
  expect(peers.map((peer) => peer.traffic)).toEqual([{ from: traffic.fromPeers, to: 0, rejected: 0 }]);
  const holding = await holder.status();
  expect(holding.peers.map((peer) => peer.traffic)).toEqual([{ from: 0, to: holding.traffic.toPeers, rejected: 0 }]);
});

test('who is refused hears nothing until it is admitted', async () => {
  await using field = new FieldTest();
  const holder = field.holder();
  await holder.ready();
  expect(await viver(holder, 'refuse', '127.0.0.0/8')).toBe('127.0.0.0/8\n');
  const node = field.joiner([holder]);
  await until('it has asked', async () => (await holder.status()).traffic.rejected > 0);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await holder.status()).peers).toEqual([]);
  expect((await node.status()).image.chunks).toBe(0);
  expect(await failure(holder, 'admit', '127.0.0.1')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/not refused\n$/),
  });
  expect(await viver(holder, 'admit', '127.0.0.0/8')).toBe('');
  await node.ready();
  expect(await hashOf(node)).toBe(field.image.sha256);
  // A node that is a member already is hung up on, and gets no more.
  await viver(holder, 'refuse', node.host);
  const late = field.joiner([node]);
  await late.ready();
  expect(await hashOf(late)).toBe(field.image.sha256);
  expect((await late.status()).peers.length).toBe(2);
});

test('addresses to refuse come from a file; one that has another thing in it ends the start with its line', async () => {
  await using field = new FieldTest();
  const file = join(field.directory, 'refused');
  writeFileSync(file, '# guests\n192.0.2.0/24\n');
  const holder = field.holder(['--refuse', file, '--refuse', '198.51.100.7']);
  await holder.ready();
  expect((await holder.status()).refused).toEqual(['192.0.2.0/24', '198.51.100.7']);
  writeFileSync(file, '192.0.2.0/24\nnobody\n');
  const broken = field.holder(['--refuse', file]);
  await expect(broken.ready()).rejects.toThrow(/line 2: 'nobody'/);
});

test('preheat fetches all that an origin has, and returns when it is here', async () => {
  await using field = new FieldTest();
  const store = join(field.directory, 'image.castr');
  await run(VIVER, ['chunk', 'store', field.image.path, store]);
  const server = createServer((request, response) => {
    createReadStream(join(store, request.url ?? ''))
      .on('error', () => response.writeHead(404).end())
      .pipe(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // Holds the index and nothing of the image: all of it has to come from the origin.
  const holder = field.holder();
  const directory = join(field.directory, 'index-only');
  const indexed = field.joiner([holder], ['--store', directory, '--keep', '0']);
  await indexed.ready();
  await indexed.stop();
  await holder.kill();
  const node = field.joiner([], ['--store', directory, '--keep', '1G', '--origin', `http://127.0.0.1:${port}/`]);
  await node.ready();
  expect(await viver(node, 'preheat')).toBe(`all ${field.image.chunks} chunks are here\n`);
  expect((await node.status()).traffic.fromOrigin).toBe(field.image.size);
  server.close();
  const small = field.joiner([node], ['--keep', '1M']);
  await small.ready();
  expect(await failure(small, 'preheat')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/the image has \d+ bytes, and this node keeps no more than 1048576\n$/),
  });
});

test('a directory is cleaned of what earlier lives and other images left', async () => {
  await using field = new FieldTest();
  const store = join(field.directory, 'store');
  const holder = field.holder();
  const first = field.joiner([holder], ['--store', store]);
  await first.ready();
  await until('all is there', () => holdsAll(first, field));
  expect(await first.stop()).toBe(0);
  const other = 'ab'.repeat(32);
  const stale = join(store, `${other}.caibx.00000000-0000-4000-8000-000000000000.tmp`);
  writeFileSync(stale, 'half an index');
  utimesSync(stale, 0, 0);
  const again = field.joiner([holder], ['--store', store]);
  await again.ready();
  await until('what was stale is gone', async () => !readdirSync(store).some((name) => name.endsWith('.tmp')));
  const { stdout } = await run(VIVER, ['field', 'clean', store, '--id', field.image.id]);
  expect(stdout).toBe('0 chunks, 0 temporary files, 0 indexes removed: 0.0 MB\n');
  await expect(run(VIVER, ['field', 'clean', store, '--id', other])).rejects.toMatchObject({ code: 1 });
});
