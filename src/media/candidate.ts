import { createHash } from 'node:crypto';
import type { BlockDevice } from './block-devices.ts';
import { decodeFileSystem, type FileSystemType } from './file-system.ts';

/** A disk image found on a medium. It has passed no check beyond its superblock. */
export interface ImageCandidate {
  /**
   * File name without `.sqfs`. An image alone on a partition has the partition's label (GPT) for a name, and without
   * one no name at all: the empty string.
   */
  readonly name: string;
  readonly device: BlockDevice;
  /** File system that holds the file, or `squashfs` for an image alone on the device. */
  readonly fileSystem: FileSystemType;
  /** Where the device is mounted, read-only; undefined for an image alone on the device. */
  readonly mountpoint?: string;
  /** The image file below the mountpoint, or the device node. */
  readonly path: string;
  /** `NAME.caibx` and `NAME.caibx.minisig` beside the file, where they are. */
  readonly indexPath?: string;
  readonly signaturePath?: string;
  readonly squashfs: SquashfsIdentity;
}

export interface SquashfsIdentity {
  /** Bytes of the file system: the file or device may be longer. */
  readonly sizeBytes: number;
  /** When mksquashfs made it, in seconds since 1970; a reproducible image says what SOURCE_DATE_EPOCH said. */
  readonly madeSeconds: number;
  /** SHA-256 of the superblock in hex: the same for copies, different after any rebuild with other contents. */
  readonly superblock: string;
}

/** Bytes of the squashfs superblock (fs/squashfs/squashfs_fs.h). */
export const SQUASHFS_SUPERBLOCK_BYTES = 96;

/**
 * Reads what tells one image from another out of its first bytes.
 * @param containerBytes size of the file or device it lies in
 * @throws Error when it is no squashfs, or longer than what it lies in
 */
export function decodeSquashfsIdentity(start: Uint8Array, containerBytes: number): SquashfsIdentity {
  const content = start.length < SQUASHFS_SUPERBLOCK_BYTES ? undefined : decodeFileSystem(start);
  if (content?.type !== 'squashfs' || !content.usable) throw new Error('no squashfs image');
  const { sizeBytes } = content;
  if (sizeBytes === undefined || sizeBytes > containerBytes) {
    throw new Error(`image cut short: ${containerBytes} of ${sizeBytes ?? 'more than 2^53'} bytes are there`);
  }
  const superblock = start.subarray(0, SQUASHFS_SUPERBLOCK_BYTES);
  return {
    sizeBytes,
    madeSeconds: new DataView(superblock.buffer, superblock.byteOffset).getUint32(8, true),
    superblock: createHash('sha256').update(superblock).digest('hex'),
  };
}
