import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Lab } from '../bench/field/lab.ts';
import { startLiar } from '../bench/field/liar.ts';
import { VIVER } from '../bench/field/runs.ts';
import { type Daemon, FieldTest, hashOf, holdsAll, until } from './field-harness.ts';

test('every node’s device, read whole through nbdcopy, is the image', async () => {
  await using field = new FieldTest();
  const holder = field.holder();
  const nodes = [1, 2, 3, 4].map(() => field.joiner([holder]));
  await Promise.all([holder, ...nodes].map((node) => node.ready()));
  const hashes = await Promise.all([holder, ...nodes].map((node) => hashOf(node)));
  for (const hash of hashes) expect(hash).toBe(field.image.sha256);
  await until('every node knows of every other', async () => {
    const all = await Promise.all([holder, ...nodes].map((node) => node.status()));
    return all.every(({ peers, redundancy }) => peers.length === 4 && redundancy.min === 5 && redundancy.mean === 5);
  });
  const { image, node, traffic } = await holder.status();
  expect(image).toEqual({ id: field.image.id, name: 'test', size: field.image.size, chunks: field.image.chunks });
  expect(node.held).toBe(field.image.chunks);
  expect(traffic.fromPeers).toBe(0);
  expect(traffic.toPeers).toBeGreaterThanOrEqual(field.image.size);
});

test('the node that brought the image leaves: the others go on, and new ones join', async () => {
  await using field = new FieldTest();
  const holder = field.holder();
  const [first, second] = [field.joiner([holder]), field.joiner([holder])];
  await Promise.all([first.ready(), second.ready()]);
  expect(await holder.stop()).toBe(0);
  await until('it is gone', async () => (await first.status()).peers.length === 1);
  expect(await hashOf(first)).toBe(field.image.sha256);
  const late = field.joiner([second]);
  await late.ready();
  expect(await hashOf(late)).toBe(field.image.sha256);
});

test('a read waits while nobody has its chunk, and completes when the image comes back', async () => {
  await using field = new FieldTest();
  const holder = field.holder();
  // Keeps so little that it cannot answer from what it has.
  const reader = field.joiner([holder], ['--keep', '64K']);
  await reader.ready();
  await holder.kill();
  const reading = hashOf(reader, 60);
  let isOver = false;
  reading
    .catch(() => {})
    .finally(() => {
      isOver = true;
    });
  await until('it says so', async () => /nowhere in the field/.test(reader.log()), 30);
  expect(isOver).toBe(false);
  const back = field.up(['--image', field.image.path], { at: holder.host });
  await back.ready();
  expect(await reading).toBe(field.image.sha256);
});

test('the node that brought the image is killed: the others go on, and new ones join', async () => {
  await using field = new FieldTest();
  const holder = field.holder();
  const [first, second] = [field.joiner([holder]), field.joiner([holder])];
  await Promise.all([first.ready(), second.ready()]);
  await until('both have all', async () => (await holdsAll(first, field)) && (await holdsAll(second, field)));
  await holder.kill();
  const late = field.joiner([first]);
  await late.ready();
  const hashes = await Promise.all([first, second, late].map((node) => hashOf(node)));
  for (const hash of hashes) expect(hash).toBe(field.image.sha256);
  await until('it is missed', async () => /is (lost|gone)/.test(first.log()), 40);
});

test('a peer that gives false chunks is shut out and named, and every byte is right all the same', async () => {
  await using field = new FieldTest();
  const holder = field.holder();
  const reader = field.joiner([holder], ['--keep', '512K']);
  await reader.ready();
  await using liar = await startLiar(field.image.path, `127.0.${process.pid % 250}.9`, holder.address);
  await until('it is known', async () => (await reader.status()).peers.length === 2);
  // While the honest one says nothing, there is only the liar to ask.
  holder.child.kill('SIGSTOP');
  const reading = hashOf(reader, 60);
  await until('it is shut out', async () => (await reader.status()).shutOut.length > 0);
  holder.child.kill('SIGCONT');
  expect(await reading).toBe(field.image.sha256);
  const { shutOut, traffic } = await reader.status();
  expect(shutOut).toEqual([{ id: liar.id, reason: 'gave a false chunk' }]);
  expect(traffic.rejected).toBeGreaterThan(0);
  expect(reader.log()).toMatch(new RegExp(`${liar.id} at .* gave a false chunk: shut out`));
  // Not asked again: nothing more is refused.
  expect(await hashOf(reader, 60)).toBe(field.image.sha256);
  expect((await reader.status()).traffic.rejected).toBe(traffic.rejected);
});

test('a partition heals', async () => {
  using lab = Lab.create(4, undefined);
  await using field = new FieldTest(2);
  const at = (host: number, args: readonly string[]) =>
    field.up(args, { listen: `${lab.address(host)}:20070`, wrapper: ['ip', 'netns', 'exec', lab.namespace(host)] });
  const nodes = [at(0, ['--image', field.image.path])];
  for (const host of [1, 2, 3]) nodes.push(at(host, ['--id', field.image.id, '--peer', `${lab.address(0)}:20070`]));
  await Promise.all(nodes.map((node) => node.ready()));
  const sees = (count: number) => async () => {
    const all = await Promise.all(nodes.map((node) => node.status()));
    return all.every(({ peers }, host) => peers.length === (host === 3 && count < 3 ? 0 : count));
  };
  await until('all see all', sees(3));
  lab.link(3, false);
  await until('the one behind the cut is missed, and misses all others', sees(2), 60);
  lab.link(3, true);
  await until('all see all again', sees(3), 60);
  for (const node of nodes) expect(await hashOf(node)).toBe(field.image.sha256);
});

test('nodes that keep a fraction each are one device together, and none keeps more than it was told', async () => {
  await using field = new FieldTest();
  const holder = field.holder();
  const nodes: Daemon[] = [];
  for (let i = 0; i < 4; i++)
    nodes.push(field.joiner(i === 0 ? [holder] : [holder, ...nodes.slice(0, 1)], ['--keep', '3M']));
  await Promise.all(nodes.map((node) => node.ready()));
  await until('every chunk is held twice beside the holder', async () => {
    const { redundancy } = await (nodes[0] as Daemon).status();
    return redundancy.min >= 2;
  });
  expect(await holder.stop()).toBe(0);
  const hashes = await Promise.all(nodes.map((node) => hashOf(node, 60)));
  for (const hash of hashes) expect(hash).toBe(field.image.sha256);
  for (const node of nodes) {
    const { node: self } = await node.status();
    expect(self.held).toBeLessThan(field.image.chunks);
  }
});

test('a directory store survives kill -9, serves without any peer, and is believed in nothing', async () => {
  await using field = new FieldTest();
  const store = join(field.directory, 'store.castr');
  const holder = field.holder();
  const node = field.joiner([holder], ['--store', store]);
  await node.ready();
  expect(await hashOf(node)).toBe(field.image.sha256);
  await until('the store is full', () => Promise.resolve(chunkFiles(store).length >= field.image.chunks));
  await node.kill();
  await holder.kill();
  const alone = field.joiner([], ['--store', store]);
  await alone.ready();
  const before = await alone.status();
  expect(before.node.held).toBe(field.image.chunks);
  expect(await hashOf(alone)).toBe(field.image.sha256);
  await alone.kill();
  // What the disk spoilt or lost is fetched again, not served.
  const [spoilt = '', lost = ''] = chunkFiles(store);
  rmSync(lost);
  rmSync(spoilt);
  writeFileSync(spoilt, 'not what it was');
  const again = field.holder();
  const healed = field.joiner([again], ['--store', store]);
  await healed.ready();
  expect(await hashOf(healed)).toBe(field.image.sha256);
  expect((await healed.status()).node.id).toBe(before.node.id);
});

function chunkFiles(store: string): string[] {
  return readdirSync(store, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.cacnk'))
    .map((name) => join(store, name));
}

test('a keyed field has no room for strangers, with another key or with none', async () => {
  await using field = new FieldTest(2);
  const [key, other] = [join(field.directory, 'key'), join(field.directory, 'other')];
  writeFileSync(key, 'the key that this field has');
  writeFileSync(other, 'a key that it does not have');
  const holder = field.holder(['--key', key]);
  const friend = field.joiner([holder], ['--key', key]);
  await friend.ready();
  expect(await hashOf(friend)).toBe(field.image.sha256);
  const strangers = [field.joiner([holder]), field.joiner([holder], ['--key', other])];
  await until('the strangers have been refused', async () => (await holder.status()).traffic.rejected > 200);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  for (const stranger of strangers) expect((await stranger.status()).image.chunks).toBe(0);
  expect((await holder.status()).peers.length).toBe(1);
});

test('what no peer has comes from an origin, a plain web server over a chunk store', async () => {
  await using field = new FieldTest(2);
  const store = join(field.directory, 'origin.castr');
  execFileSync(VIVER, ['chunk', 'store', field.image.path, store]);
  await using web = createServer((request, response) => {
    const file = join(store, new URL(request.url ?? '/', 'http://x').pathname);
    try {
      response.end(readFileSync(file));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/`;
  const holder = field.holder();
  const node = field.joiner([holder], ['--origin', url, '--keep', '64K']);
  await node.ready();
  await holder.kill();
  expect(await hashOf(node, 60)).toBe(field.image.sha256);
  const { traffic } = await node.status();
  expect(traffic.fromOrigin).toBeGreaterThan(0);
});

test('an image without an index gets one, and a changed image is not served', async () => {
  await using field = new FieldTest(2);
  const index = field.image.path.replace(/\.sqfs$/, '.caibx');
  rmSync(index);
  const holder = field.holder();
  expect(await holder.ready()).toContain(`@${field.image.id.slice(0, 12)}`);
  expect(createHash('sha256').update(readFileSync(index)).digest('hex')).toBe(field.image.id);
  await holder.kill();
  const bytes = readFileSync(field.image.path);
  bytes[field.image.size >> 1] = (bytes[field.image.size >> 1] as number) ^ 1;
  writeFileSync(field.image.path, bytes);
  const spoilt = field.holder();
  await spoilt.ready();
  const reader = field.joiner([spoilt]);
  await reader.ready();
  await until('one chunk is missing, all others are there', async () => {
    const { node } = await reader.status();
    return node.held === field.image.chunks - 1;
  });
  expect((await reader.status()).traffic.rejected).toBe(0);
  expect(spoilt.log()).toMatch(/chunk \d+ cannot be read here/);
});

test('wrong words end with exit code 2, what cannot be done with 1 and one line', async () => {
  await using field = new FieldTest(1);
  const run = (...args: string[]) => {
    const daemon = field.up(args);
    return new Promise<[number | null, string]>((resolve) =>
      daemon.child.once('close', (code) => resolve([code, daemon.log()])),
    );
  };
  expect((await run())[0]).toBe(2);
  expect((await run('--id', 'abc'))[0]).toBe(2);
  expect((await run('--id', field.image.id, '--peer', 'nowhere'))[0]).toBe(2);
  expect((await run('--id', field.image.id, '--keep', '12Q'))[0]).toBe(2);
  expect((await run('--id', field.image.id, '--origin', 'ftp://x'))[0]).toBe(2);
  const [code, log] = await run('--image', join(field.directory, 'none.sqfs'));
  expect(code).toBe(1);
  expect(log.trim().split('\n').length).toBe(1);
});
