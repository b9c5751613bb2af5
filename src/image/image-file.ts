import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { readBlockDevice } from '../linux/block/block.ts';
import { decodeSquashfs, type SquashfsSuperblock, SUPERBLOCK_SIZE, squashfsImageSize } from '../squashfs/superblock.ts';

/** What holds the bytes of an image: a file, a partition, an array in a test. */
export interface ImageReader {
  /** What errors and logs call it. */
  readonly name: string;
  /** Size of the image in bytes. */
  readonly size: number;
  /**
   * Fills all of `target` with the bytes from `offset` on.
   * @throws Error when they cannot be read or end before
   */
  read(target: Uint8Array, offset: number): Promise<void>;
}

/** An open image, its superblock checked. */
export interface ImageFile extends ImageReader, AsyncDisposable {
  readonly superblock: SquashfsSuperblock;
}

/**
 * Opens the squashfs at `path`, a file or a block device.
 * @throws Error when it cannot be opened, is no squashfs, is corrupt or is cut short
 */
export async function openImage(path: string): Promise<ImageFile> {
  const handle = await openNamed(path);
  try {
    const { size, kind } = await sizeOf(handle, path);
    const start = new Uint8Array(Math.min(SUPERBLOCK_SIZE, size));
    await readFully(handle, path, start, 0);
    const superblock = named(path, () => decodeSquashfs(start));
    return {
      name: path,
      size: named(path, () => squashfsImageSize(superblock, size, kind)),
      superblock,
      read: (target, offset) => readFully(handle, path, target, offset),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openNamed(path: string): Promise<FileHandle> {
  try {
    // Not blocking on a FIFO, and no controlling terminal: the path comes from the command line.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (cause) {
    throw new Error(`cannot open ${path}`, { cause });
  }
}

async function sizeOf(handle: FileHandle, path: string): Promise<{ size: number; kind: 'file' | 'device' }> {
  const stat = await handle.stat();
  if (stat.isFile()) return { size: stat.size, kind: 'file' };
  if (!stat.isBlockDevice()) throw new Error(`${path} is neither a file nor a block device`);
  return { size: readBlockDevice(path).sizeBytes, kind: 'device' };
}

async function readFully(handle: FileHandle, path: string, target: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    let count: number;
    try {
      count = (await handle.read(target, done, target.length - done, offset + done)).bytesRead;
    } catch (cause) {
      throw new Error(`cannot read ${path} at byte ${offset + done}`, { cause });
    }
    if (count === 0) throw new Error(`${path} ends at byte ${offset + done}, ${target.length - done} bytes too early`);
    done += count;
  }
}

function named<T>(path: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
