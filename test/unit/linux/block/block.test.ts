import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import {
  alignedBuffer,
  flushBuffers,
  openDirect,
  readBlockDevice,
  readDirect,
} from '../../../../src/linux/block/block.ts';
import { attachLoop } from '../../../../src/linux/block/loop.ts';
import { addressOf } from '../../../../src/linux/libc.ts';

const directory = mkdtempSync(join(tmpdir(), 'viver-block-'));
afterAll(() => rmSync(directory, { recursive: true }));
const content = randomBytes(100_000);
const file = join(directory, 'file');
writeFileSync(file, content, { flush: true });

test('aligned memory begins where O_DIRECT wants it', () => {
  for (const alignment of [512, 4096, 65536]) {
    for (const size of [0, 1, 4096, 1 << 20]) {
      const buffer = alignedBuffer(size, alignment);
      expect(buffer).toHaveLength(size);
      if (size > 0) expect(addressOf(buffer) % BigInt(alignment)).toBe(0n);
    }
  }
});

test('any range is read past the page cache as it is, and cut at the end', async () => {
  await using direct = await openDirect(file);
  expect(direct.direct).toBe(true);
  await fc.assert(
    fc.asyncProperty(fc.nat(110_000), fc.nat(30_000), async (offset, length) => {
      const bytes = await direct.read(offset, length);
      expect(bytes.equals(content.subarray(offset, offset + length))).toBe(true);
    }),
  );
});

test('a file system without direct I/O is read too', async () => {
  const path = '/dev/shm/viver-block-test';
  writeFileSync(path, content);
  try {
    await using direct = await openDirect(path);
    expect((await direct.read(5, 99_000)).equals(content.subarray(5, 99_005))).toBe(true);
  } finally {
    rmSync(path);
  }
});

test('several devices are read at once', async () => {
  const loops = [1, 2, 3].map(() => attachLoop({ file }));
  try {
    const reads = loops.map(({ path }, i) => readDirect(path, i * 512, 20_000));
    for (const [i, bytes] of (await Promise.all(reads)).entries()) {
      expect(bytes.equals(content.subarray(i * 512, i * 512 + 20_000))).toBe(true);
    }
    for (const { path } of loops) flushBuffers(path);
  } finally {
    for (const loop of loops) loop.detach();
  }
});

test('what is no block device is named', () => {
  expect(() => readBlockDevice(file)).toThrow(`BLKGETSIZE64 ${file}: ENOTTY (Inappropriate ioctl for device)`);
  expect(() => readBlockDevice('/dev/no-such-disk')).toThrow('ENOENT');
});
