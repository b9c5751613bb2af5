import { closeSync, constants, openSync } from 'node:fs';
import { decode, type FixedCodec, i32le, u64le } from '../../codec/struct.ts';
import { hasCode, SyscallError } from '../errno.ts';
import { type OpenFile, openFile } from '../file.ts';
import { ioctl } from '../ioctl.ts';
import { addressOf, libc } from '../libc.ts';

/** include/uapi/linux/fs.h */
const BLK = {
  BLKROGET: 0x125e,
  BLKRRPART: 0x125f,
  BLKFLSBUF: 0x1261,
  BLKSSZGET: 0x1268,
  BLKGETSIZE64: 0x8008_1272,
} as const;

/** Enough for every logical block size up to 4 KiB, and for file systems that want whole pages. */
const DIRECT_ALIGNMENT = 4096;
const POSIX_FADV_DONTNEED = 4;

function onDevice<T>(path: string, action: (fd: number) => T): T {
  // Non-blocking: opening a drive without a medium then works at once instead of waiting for one.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return action(fd);
  } finally {
    closeSync(fd);
  }
}

function get<T>(path: string, fd: number, request: keyof typeof BLK, codec: FixedCodec<T>): T {
  const answer = new Uint8Array(codec.size);
  ioctl(request, path, fd, BLK[request], answer);
  return decode(codec, answer);
}

export interface BlockDeviceFacts {
  readonly sizeBytes: number;
  /** The smallest unit the device reads: 512, 2048 (CD) or 4096. */
  readonly logicalBlockSize: number;
  readonly readOnly: boolean;
}

/** What the kernel knows of a block device. A drive without a medium has 0 bytes or fails with ENOMEDIUM. */
export function readBlockDevice(path: string): BlockDeviceFacts {
  return onDevice(path, (fd) => ({
    sizeBytes: get(path, fd, 'BLKGETSIZE64', u64le),
    logicalBlockSize: get(path, fd, 'BLKSSZGET', i32le),
    readOnly: get(path, fd, 'BLKROGET', i32le) !== 0,
  }));
}

/** Reads the partition table anew. EBUSY while a partition is in use. */
export function rereadPartitions(path: string): void {
  onDevice(path, (fd) => void ioctl('BLKRRPART', path, fd, BLK.BLKRRPART, 0));
}

/** Writes back and forgets what is cached of the device. */
export function flushBuffers(path: string): void {
  onDevice(path, (fd) => void ioctl('BLKFLSBUF', path, fd, BLK.BLKFLSBUF, 0));
}

/** `sizeBytes` of memory that begins at a multiple of `alignment` (a power of two), as O_DIRECT wants it. */
export function alignedBuffer(sizeBytes: number, alignment = DIRECT_ALIGNMENT): Buffer<ArrayBuffer> {
  const memory = Buffer.allocUnsafeSlow(sizeBytes + alignment);
  const over = Number(addressOf(memory) % BigInt(alignment));
  const start = over === 0 ? 0 : alignment - over;
  return memory.subarray(start, start + sizeBytes);
}

/** A file or block device that is read past the page cache. */
export interface DirectFile {
  readonly path: string;
  /** False where the file system cannot (iso9660, tmpfs): the range is then dropped from the cache before each read. */
  readonly direct: boolean;
  /**
   * Up to `length` bytes from `offset`, fewer only at the end; any offset and length. Runs on Node's thread pool, so
   * several devices are read at once. Valid until the next read of this file.
   */
  read(offset: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

async function openForReading(path: string): Promise<{ file: OpenFile; direct: boolean }> {
  try {
    return { file: await openFile(path, constants.O_RDONLY | constants.O_DIRECT), direct: true };
  } catch (error) {
    if (!hasCode(error, 'EINVAL')) throw error;
    return { file: await openFile(path, constants.O_RDONLY), direct: false };
  }
}

function dropFromCache(path: string, fd: number, offset: number, length: number): void {
  // Returns the error itself instead of setting errno.
  const errno = libc().posix_fadvise(fd, BigInt(offset), BigInt(length), POSIX_FADV_DONTNEED);
  if (errno !== 0) throw new SyscallError('posix_fadvise', path, errno);
}

async function readFully(file: OpenFile, into: Buffer, offset: number): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const bytesRead = await file.read(into, filled, into.length - filled, offset + filled);
    filled += bytesRead;
    // The end. A direct read may not go on from an unaligned place either.
    if (bytesRead === 0 || filled % DIRECT_ALIGNMENT !== 0) break;
  }
  return filled;
}

/** Opens a file or block device for reading past the page cache. */
export async function openDirect(path: string): Promise<DirectFile> {
  const { file, direct } = await openForReading(path);
  let buffer = alignedBuffer(0);
  const close = () => file.close();
  return {
    path,
    direct,
    async read(offset, length) {
      const start = offset - (offset % DIRECT_ALIGNMENT);
      const size = Math.ceil((offset + length - start) / DIRECT_ALIGNMENT) * DIRECT_ALIGNMENT;
      if (buffer.length < size) buffer = alignedBuffer(size);
      if (!direct) dropFromCache(path, file.fd, start, size);
      const filled = await readFully(file, buffer.subarray(0, size), start);
      return buffer.subarray(offset - start, Math.max(offset - start, Math.min(filled, offset - start + length)));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** One read past the page cache; see DirectFile.read. */
export async function readDirect(path: string, offset: number, length: number): Promise<Buffer> {
  await using file = await openDirect(path);
  return await file.read(offset, length);
}
