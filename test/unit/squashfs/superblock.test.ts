import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeSquashfs, isSquashfs, SUPERBLOCK_SIZE, squashfsImageSize } from '../../../src/squashfs/superblock.ts';

let folder = '';
let image: Buffer = Buffer.alloc(0);

function makeImage(name: string, ...options: string[]): Buffer {
  const path = join(folder, name);
  execFileSync('mksquashfs', [join(folder, 'tree'), path, '-noappend', '-quiet', '-no-progress', ...options], {
    stdio: 'pipe',
    env: { ...process.env, SOURCE_DATE_EPOCH: '1234567890' },
  });
  return readFileSync(path);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-squashfs-'));
  mkdirSync(join(folder, 'tree'));
  writeFileSync(join(folder, 'tree/file'), 'x'.repeat(100_000));
  image = makeImage('a.sqfs', '-comp', 'zstd', '-b', '256K');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of the image's superblock with some bytes changed. */
function changed(offset: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(image.subarray(0, SUPERBLOCK_SIZE));
  copy.set(bytes, offset);
  return copy;
}

describe('decodeSquashfs', () => {
  test('reads what mksquashfs wrote', () => {
    const superblock = decodeSquashfs(image);
    expect(superblock).toMatchObject({
      compression: 'zstd',
      blockSize: 256 * 1024,
      createdSeconds: 1234567890,
      inodes: 2,
    });
    expect(superblock.flags).toMatchObject({ exportable: true, duplicatesRemoved: true, noFragments: false });
    expect(Math.ceil(superblock.bytesUsed / 4096) * 4096).toBe(image.length);
  });

  test.each(['gzip', 'xz', 'lzo', 'lz4', 'zstd'])('knows an image compressed by %s', (compression) => {
    expect(decodeSquashfs(makeImage(`${compression}.sqfs`, '-comp', compression)).compression).toBe(compression);
  });

  test('accepts an empty image, one without fragments, xattrs, export table or padding', () => {
    const path = join(folder, 'empty');
    mkdirSync(path);
    execFileSync('mksquashfs', [path, join(folder, 'empty.sqfs'), '-quiet', '-no-progress'], { stdio: 'pipe' });
    expect(decodeSquashfs(readFileSync(join(folder, 'empty.sqfs'))).inodes).toBe(1);
    const bare = makeImage('bare.sqfs', '-no-fragments', '-no-xattrs', '-no-exports', '-nopad');
    const superblock = decodeSquashfs(bare);
    expect(superblock.flags).toMatchObject({ noFragments: true, noXattrs: true, exportable: false });
    expect(superblock.bytesUsed).toBe(bare.length);
  });

  test('says that something else is no squashfs image', () => {
    expect(() => decodeSquashfs(Buffer.alloc(4096))).toThrow('no squashfs image: wrong magic number');
    expect(() => decodeSquashfs(Buffer.from('hsqs'))).toThrow('no squashfs image: 4 bytes are too short');
  });

  test('says which version it cannot mount', () => {
    expect(() => decodeSquashfs(changed(28, 3, 0, 1, 0))).toThrow('squashfs version 3.1 cannot be mounted');
    expect(() => decodeSquashfs(changed(0, ...Buffer.from('sqsh')))).toThrow('cannot be mounted');
  });

  test.each([
    ['unknown compression 9', 20, [9, 0]],
    ['unknown compression 0', 20, [0, 0]],
    ['block size', 12, [1, 0, 4, 0]],
    ['block size', 12, [0, 0, 0, 1]],
    ['block size 262144 (log 17)', 22, [17, 0]],
    ['no inodes', 4, [0, 0, 0, 0]],
    ['no user ids', 26, [0, 0]],
    ['root inode', 32, [0xff, 0xff]],
    ['size of', 40, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['directory table', 40, [97, 0, 0, 0, 0, 0, 0, 0]],
    ['no id table', 48, [255, 255, 255, 255, 255, 255, 255, 255]],
    ['idTable', 48, [1, 0, 0, 0, 0, 0, 0, 0]],
    ['inode table', 64, [0, 0, 0, 0, 0, 0, 0, 0]],
    ['inode table', 72, [0, 0, 0, 0, 0, 0, 0, 0]],
    ['fragmentTable', 80, [0, 0, 0, 0, 0, 0, 1, 0]],
    ['exportTable', 88, [0, 0, 0, 0, 0, 0, 1, 0]],
  ])('names the corrupt field: %s', (message, offset, bytes) => {
    expect(() => decodeSquashfs(changed(offset, ...bytes))).toThrow(`squashfs superblock corrupt: ${message}`);
  });

  test('on any bytes gives a sound superblock or an Error, never anything else', () => {
    const near = fc
      .array(fc.tuple(fc.nat(SUPERBLOCK_SIZE - 1), fc.nat(255)), { maxLength: 8 })
      .map((edits) => edits.reduce((bytes, [at, value]) => bytes.fill(value, at, at + 1), changed(0)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), near), (bytes) => {
        try {
          const superblock = decodeSquashfs(bytes);
          expect(isSquashfs(bytes)).toBe(true);
          expect(Number.isSafeInteger(superblock.bytesUsed)).toBe(true);
        } catch (error) {
          expect((error as Error).message).toMatch(/squashfs/);
        }
      }),
    );
  });
});

describe('squashfsImageSize', () => {
  test('a file is the image, on a partition the image ends where it is padded to', () => {
    const superblock = decodeSquashfs(image);
    expect(squashfsImageSize(superblock, image.length, 'file')).toBe(image.length);
    expect(squashfsImageSize(superblock, 10_000_000, 'device')).toBe(image.length);
    expect(squashfsImageSize(superblock, superblock.bytesUsed, 'file')).toBe(superblock.bytesUsed);
  });

  test('names a truncated image so', () => {
    const { bytesUsed } = decodeSquashfs(image);
    expect(() => squashfsImageSize(decodeSquashfs(image), bytesUsed - 1, 'file')).toThrow(
      `image truncated: ${bytesUsed - 1} of ${bytesUsed} bytes are there`,
    );
  });
});
