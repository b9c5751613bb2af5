import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createChunkIndex } from '../../../src/image/chunk-index.ts';
import { BootWatch } from '../../../src/kit/boot-watch.ts';
import { CacheWatch, isBootedFrom } from '../../../src/kit/field/cache-watch.ts';

const MB = 1 << 20;
const SIZE = 12 * MB;
const CHUNK = MB / 4;
const index = createChunkIndex(
  Float64Array.from({ length: SIZE / CHUNK }, (_, i) => (i + 1) * CHUNK),
  new Uint8Array((32 * SIZE) / CHUNK),
);

/** Where files lie on a disk: what is in /tmp may be in memory whatever is read. */
class DiskFolder implements Disposable {
  readonly #path = mkdtempSync('/var/tmp/viver-test-');

  at(name: string): string {
    return join(this.#path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true, force: true });
  }
}

/** An image on a disk, out of memory. */
function image(folder: DiskFolder): string {
  const path = folder.at('image');
  execFileSync('dd', ['if=/dev/urandom', `of=${path}`, `bs=${MB}`, `count=${SIZE / MB}`, 'conv=fsync', 'status=none']);
  execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']);
  return path;
}

function report(folder: DiskFolder, medium: string, id: string): string {
  const path = folder.at('boot.json');
  writeFileSync(path, JSON.stringify({ medium, image: { name: 'debian', id, path: '/x' } }));
  return path;
}

function readAt(path: string, offset: number, length: number): void {
  const fd = openSync(path, 'r');
  readSync(fd, Buffer.alloc(length), 0, length, offset);
  closeSync(fd);
}

function watchOf(path: string, reports: readonly string[], log: string[] = []) {
  const medium = {
    name: path,
    size: SIZE,
    async read(target: Uint8Array, offset: number): Promise<void> {
      await using handle = await open(path);
      await handle.read(target, 0, target.length, offset);
    },
  };
  const cache = new CacheWatch({ id: index.id, path, medium, reports, everyMs: 20, log: (line) => log.push(line) });
  const watch = new BootWatch(index, () => {});
  const has = (offset: number): boolean =>
    watch.profile().ranges.some(({ start, end }) => start <= offset && offset < end);
  return { cache, watch, has };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('what a boot reads of an image on a disk is seen in its order, and not what is read for others', async () => {
  using folder = new DiskFolder();
  const path = image(folder);
  readAt(path, 8 * MB, 100_000);
  const { cache, watch, has } = watchOf(path, [report(folder, 'usb', index.id)]);
  using _cache = cache;
  cache.start(watch);
  expect(has(8 * MB)).toBe(true);
  expect(has(2 * MB)).toBe(false);
  await pause(60);
  readAt(path, 2 * MB, 100_000);
  await expect.poll(() => has(2 * MB), { timeout: 10_000 }).toBe(true);
  const places = watch.profile().ranges.map(({ start }) => start);
  expect(places.indexOf(8 * MB)).toBeGreaterThanOrEqual(0);
  expect(places.indexOf(8 * MB)).toBeLessThan(places.indexOf(2 * MB));
  expect(cache.lack).toBeUndefined();
  // Read just before somebody asks for a chunk: it still counts, and nothing after it does.
  readAt(path, 5 * MB, 4096);
  const target = Buffer.alloc(100);
  await cache.medium.read(target, 10 * MB);
  expect(target.equals(Buffer.alloc(100))).toBe(false);
  expect(await cache.ended).toBe(true);
  await pause(60);
  expect([has(5 * MB), has(10 * MB)]).toEqual([true, false]);
});

test('when others begin to boot from it, the boot is what was read until then', async () => {
  using folder = new DiskFolder();
  const path = image(folder);
  const { cache, watch, has } = watchOf(path, [report(folder, 'usb', index.id)]);
  using _cache = cache;
  cache.start(watch);
  readAt(path, 2 * MB, 100_000);
  cache.end();
  cache.end();
  expect(await cache.ended).toBe(true);
  readAt(path, 8 * MB, 100_000);
  await pause(60);
  expect([has(2 * MB), has(8 * MB)]).toEqual([true, false]);
});

test('a machine that runs from another image, or from none, records nothing', async () => {
  using folder = new DiskFolder();
  const path = image(folder);
  readAt(path, 8 * MB, 100_000);
  for (const reports of [
    [],
    [folder.at('none')],
    [report(folder, 'net', index.id)],
    [report(folder, 'usb', 'f'.repeat(64))],
  ]) {
    const { cache, watch } = watchOf(path, reports);
    using _cache = cache;
    cache.start(watch);
    await pause(50);
    expect(watch.profile().ranges).toEqual([]);
    expect(cache.lack).toBeUndefined();
  }
  writeFileSync(folder.at('bad'), '{');
  expect(isBootedFrom(index.id, [folder.at('bad')])).toBe(false);
});

test('an image that is read past the cache, or cannot be looked at, is one clear line', async () => {
  using folder = new DiskFolder();
  const path = image(folder);
  const reports = [report(folder, 'usb', index.id)];
  const { cache, watch } = watchOf(path, reports);
  using _cache = cache;
  cache.start(watch);
  expect(cache.lack).toMatch(/^\d+ bytes of the image lie in the kernel's cache: it is read past that$/);
  const log: string[] = [];
  const gone = watchOf(folder.at('gone'), reports, log);
  gone.cache.start(gone.watch);
  await pause(60);
  expect(log).toEqual([expect.stringMatching(/^no boot profile of this machine: .*gone/)]);
});

test('a look at a large image lets others have their turn, and the next one is the later the longer it took', async () => {
  using folder = new DiskFolder();
  const path = folder.at('large');
  // A hole: 96 GB of pages, none of them in memory.
  execFileSync('truncate', ['-s', '96G', path]);
  const size = 96 * 1024 * MB;
  const large = { id: index.id, path, medium: { name: path, size, read: async () => {} }, everyMs: 1 };
  const cache = new CacheWatch({ ...large, reports: [report(folder, 'usb', index.id)], log: () => {} });
  using _cache = cache;
  let turns = 0;
  const timer = setInterval(() => {
    turns++;
  }, 1);
  cache.start(new BootWatch(index, () => {}));
  await pause(3000);
  clearInterval(timer);
  // Looked at as a whole, over and over, it would leave three.
  expect(turns).toBeGreaterThan(50);
  cache.end();
  expect(await cache.ended).toBe(true);
});
