/**
 * A store on a disk that is slower than the network: an ext4 that writes through, on a disk of nbdkit's with a rate. By
 * itself: a mount name space that another test makes meanwhile would hold the disk until it ends.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Daemon, FieldTest, hashOf, until } from '../field/field-harness.ts';

const MIB = 1 << 20;

/** A file system below a directory, and how many bits a second its disk takes. */
async function slowDisk(directory: string, megabytes: number) {
  await using made = new AsyncDisposableStack();
  const at = (name: string): string => join(directory, name);
  const set = (bits: string): void => writeFileSync(at('rate'), bits);
  set('1000M');
  mkdirSync(at('fuse'));
  mkdirSync(at('store'));
  const disk = [
    'nbdkit',
    '-s',
    '--exit-with-parent',
    '--filter=rate',
    'memory',
    `${megabytes}M`,
    `rate-file=${at('rate')}`,
  ];
  const fuse = spawn('nbdfuse', [at('fuse/disk'), '--command', ...disk], { stdio: 'ignore' });
  const ended = new Promise((resolve) => fuse.once('exit', resolve));
  made.defer(async () => {
    execFileSync('umount', [at('fuse')]);
    await ended;
  });
  await until('the disk is there', async () => existsSync(at('fuse/disk')));
  const loop = execFileSync('losetup', ['--show', '-f', at('fuse/disk')], { encoding: 'utf8' }).trim();
  made.defer(() => void execFileSync('losetup', ['-d', loop]));
  execFileSync('mkfs.ext4', ['-q', loop]);
  execFileSync('mount', ['-o', 'sync', loop, at('store')]);
  made.defer(() => {
    set('1000M');
    execFileSync('umount', [at('store')]);
  });
  const all = made.move();
  return { path: at('store'), set, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Bytes of memory that a daemon takes. */
const memoryOf = ({ child }: Daemon): number =>
  1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1]);

test('a node whose store lies on a slow disk reads at full speed, in bounded memory, and keeps the rest later', async () => {
  await using field = new FieldTest(160);
  const holder = field.holder();
  await holder.ready();
  await using disk = await slowDisk(field.directory, 600);
  disk.set('8M');
  const node = field.joiner([holder], ['--store', disk.path, '--keep', '400M']);
  await node.ready();
  await until('the disk is behind', async () => (await node.status()).store?.isBehind === true, 60);
  const before = memoryOf(node);
  expect(await hashOf(node, 60)).toBe(field.image.sha256);
  const { store, node: own } = await node.status();
  console.log(`slow disk: ${JSON.stringify({ store, own, before, after: memoryOf(node) })}`);
  expect(store?.waitingBytes).toBeLessThan(18 * MIB);
  expect(store?.passedOver).toBeGreaterThan(0);
  expect(own.held).toBeLessThan(field.image.chunks / 2);
  expect(memoryOf(node) - before).toBeLessThan(64 * MIB);
  disk.set('1000M');
  await until('all is kept', async () => (await node.status()).node.held === field.image.chunks, 120);
  await until('all is written', async () => (await node.status()).store?.waitingChunks === 0, 60);
  expect(await node.stop()).toBe(0);
  await holder.stop();
  const again = field.joiner([], ['--store', disk.path, '--keep', '400M']);
  await again.ready();
  expect(await hashOf(again, 60)).toBe(field.image.sha256);
  await again.stop();
});
