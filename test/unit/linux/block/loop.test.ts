import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readBlockDevice, readDirect, rereadPartitions } from '../../../../src/linux/block/block.ts';
import { attachLoop, detachLoop, encodeLoopConfig, type LoopRequest } from '../../../../src/linux/block/loop.ts';
import { SyscallError } from '../../../../src/linux/errno.ts';
import { ioctl } from '../../../../src/linux/ioctl.ts';

const directory = mkdtempSync(join(tmpdir(), 'viver-loop-'));
afterAll(() => rmSync(directory, { recursive: true }));

const content = randomBytes(256 * 1024 + 512);
const file = join(directory, 'a file whose name is longer than the 63 bytes that the kernel keeps of it ä.img');
writeFileSync(file, content);

/** Whether our file is behind the device; others use loop devices at the same time. */
function attached(name: string): boolean {
  const backing = `/sys/block/${name}/loop/backing_file`;
  return existsSync(backing) && readFileSync(backing, 'utf8').startsWith(directory);
}

function withLoop<T>(request: Omit<LoopRequest, 'file'>, use: (path: string) => Promise<T>): Promise<T> {
  const loop = attachLoop({ file, ...request });
  return use(loop.path).finally(() => loop.detach());
}

test('a file becomes a read-only block device with the same bytes', async () => {
  const [facts, bytes] = await withLoop(
    {},
    async (path) => [readBlockDevice(path), await readDirect(path, 0, 1 << 20)] as const,
  );
  expect(facts).toEqual({ sizeBytes: content.length, logicalBlockSize: 512, readOnly: true });
  expect(bytes.equals(content)).toBe(true);
});

test('a part of the file with blocks of 4 KiB', async () => {
  const request = { offset: 8192, sizeLimit: 16384, blockSize: 4096 };
  const [facts, bytes] = await withLoop(
    request,
    async (path) => [readBlockDevice(path), await readDirect(path, 100, 1 << 20)] as const,
  );
  expect(facts).toEqual({ sizeBytes: 16384, logicalBlockSize: 4096, readOnly: true });
  expect(bytes.equals(content.subarray(8292, 8192 + 16384))).toBe(true);
});

test('direct I/O is used where the file system can, and the device says whether', () => {
  for (const directIo of [true, false]) {
    using loop = attachLoop({ file, directIo });
    expect(loop.directIo).toBe(directIo);
    expect(readFileSync(`/sys/block/${loop.name}/loop/dio`, 'utf8')).toBe(directIo ? '1\n' : '0\n');
    loop.detach();
  }
});

test('a kernel without LOOP_CONFIGURE is served by the older calls, with the same result', async () => {
  const EINVAL = 22;
  const asked: string[] = [];
  const older: typeof ioctl = (op, target, fd, request, argument) => {
    asked.push(op);
    if (op === 'LOOP_CONFIGURE') throw new SyscallError(op, target, EINVAL);
    return ioctl(op, target, fd, request, argument);
  };
  const request = { file, offset: 8192, sizeLimit: 16384, blockSize: 4096, autoclear: true };
  const loop = attachLoop(request, older);
  expect(readBlockDevice(loop.path)).toEqual({ sizeBytes: 16384, logicalBlockSize: 4096, readOnly: true });
  expect((await readDirect(loop.path, 100, 1 << 20)).equals(content.subarray(8292, 8192 + 16384))).toBe(true);
  expect(readFileSync(`/sys/block/${loop.name}/loop/autoclear`, 'utf8')).toBe('1\n');
  expect(asked).toEqual([
    'LOOP_CONFIGURE',
    'LOOP_SET_FD',
    'LOOP_SET_BLOCK_SIZE',
    'LOOP_SET_STATUS64',
    'LOOP_SET_DIRECT_IO',
  ]);
  loop.release();
  expect(attached(loop.name)).toBe(false);
});

test('writing is possible when asked for', async () => {
  const copy = join(directory, 'writable.img');
  writeFileSync(copy, new Uint8Array(4096));
  const loop = attachLoop({ file: copy, readOnly: false, directIo: false });
  expect(readBlockDevice(loop.path).readOnly).toBe(false);
  writeFileSync(loop.path, 'written', { flag: 'r+', flush: true });
  loop.detach();
  expect(readFileSync(copy, 'latin1').startsWith('written\0')).toBe(true);
});

test('an autoclear device stays while held and goes when released', () => {
  const loop = attachLoop({ file, autoclear: true });
  expect(attached(loop.name)).toBe(true);
  loop.release();
  expect(attached(loop.name)).toBe(false);
});

test('another device stays when released and goes when detached by its path', () => {
  const loop = attachLoop({ file });
  loop.release();
  expect(attached(loop.name)).toBe(true);
  detachLoop(loop.path);
  expect(attached(loop.name)).toBe(false);
  expect(() => loop.detach()).toThrow('already released');
});

test('partitions are looked for when asked for', () => {
  const loop = attachLoop({ file, partitions: true });
  expect(readFileSync(`/sys/block/${loop.name}/loop/partscan`, 'utf8')).toBe('1\n');
  expect(rereadPartitions(loop.path)).toBeUndefined();
  loop.detach();
});

test('a file that is not there, and a device without partitions, say so', () => {
  expect(() => attachLoop({ file: join(directory, 'none') })).toThrow('ENOENT');
  using loop = attachLoop({ file });
  expect(() => rereadPartitions(loop.path)).toThrow(`BLKRRPART ${loop.path}: EINVAL (Invalid argument)`);
  loop.detach();
  expect(() => detachLoop(file)).toThrow(`LOOP_CLR_FD ${file}: ENOTTY (Inappropriate ioctl for device)`);
});

test('loop_config has the kernel layout', () => {
  const bytes = Buffer.from(encodeLoopConfig({ file: '/x', offset: 3, sizeLimit: 5, blockSize: 4096 }, 7));
  expect(bytes).toHaveLength(304);
  expect([bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(32), bytes.readUInt32LE(40)]).toEqual([
    7, 4096, 3, 5,
  ]);
  expect(bytes.readUInt32LE(60)).toBe(1 | 16);
  expect(bytes.toString('latin1', 64, 67)).toBe('/x\0');
});
