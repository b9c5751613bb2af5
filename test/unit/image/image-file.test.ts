import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openImage } from '../../../src/image/image-file.ts';
import { attachLoop } from '../../../src/linux/block/loop.ts';
import { makeSquashfs, temporaryFolder } from './images.ts';

test('opens an image file, its bytes at any place', async () => {
  using folder = temporaryFolder();
  await makeSquashfs(folder.at('a.sqfs'), 200_000);
  const content = readFileSync(folder.at('a.sqfs'));
  await using image = await openImage(folder.at('a.sqfs'));
  expect(image).toMatchObject({ name: folder.at('a.sqfs'), size: content.length });
  expect(image.superblock.compression).toBe('zstd');
  const bytes = new Uint8Array(1000);
  await image.read(bytes, 100_001);
  expect(Buffer.compare(bytes, content.subarray(100_001, 101_001))).toBe(0);
});

test('an image alone on a larger device ends where the file system does', async () => {
  using folder = temporaryFolder();
  await makeSquashfs(folder.at('a.sqfs'), 200_000);
  const { length } = readFileSync(folder.at('a.sqfs'));
  truncateSync(folder.at('a.sqfs'), length + 1_000_000);
  using loop = attachLoop({ file: folder.at('a.sqfs') });
  try {
    await using image = await openImage(loop.path);
    expect(image.size).toBe(length);
  } finally {
    loop.detach();
  }
});

test('names a truncated image so, on a file and on a device', async () => {
  using folder = temporaryFolder();
  await makeSquashfs(folder.at('a.sqfs'), 200_000);
  truncateSync(folder.at('a.sqfs'), 100_352);
  await expect(openImage(folder.at('a.sqfs'))).rejects.toThrow(
    /a\.sqfs: image truncated: 100352 of \d+ bytes are there/,
  );
  using loop = attachLoop({ file: folder.at('a.sqfs') });
  try {
    await expect(openImage(loop.path)).rejects.toThrow(`${loop.path}: image truncated`);
  } finally {
    loop.detach();
  }
});

test('a read past the end is an error that names the place', async () => {
  using folder = temporaryFolder();
  await makeSquashfs(folder.at('a.sqfs'), 1000);
  await using image = await openImage(folder.at('a.sqfs'));
  await expect(image.read(new Uint8Array(10), image.size - 4)).rejects.toThrow(
    `a.sqfs ends at byte ${image.size}, 6 bytes too early`,
  );
});

test.each<[string, (path: string) => void, RegExp]>([
  ['nothing', () => undefined, /cannot open .*x$/],
  ['an empty file', (path) => writeFileSync(path, ''), /x: no squashfs image: 0 bytes are too short/],
  ['another file', (path) => writeFileSync(path, 'x'.repeat(5000)), /x: no squashfs image: wrong magic number/],
  ['a directory', (path) => execFileSync('mkdir', [path]), /x is neither a file nor a block device/],
  ['a FIFO', (path) => execFileSync('mkfifo', [path]), /x is neither a file nor a block device/],
])('says that %s is no image', async (_what, make, message) => {
  using folder = temporaryFolder();
  make(folder.at('x'));
  await expect(openImage(folder.at('x'))).rejects.toThrow(message);
});
