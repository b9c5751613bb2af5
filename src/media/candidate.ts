import { sha256 } from '../linux/sha256.ts';
import { decodeSquashfs, SUPERBLOCK_SIZE, squashfsImageSize } from '../squashfs/superblock.ts';
import type { BlockDevice } from './block-devices.ts';
import type { FileSystemType } from './file-system.ts';

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
  /** Where the file system with the image is mounted, read-only; undefined for an image alone on the device. */
  readonly mountpoint?: string;
  /** The image is inside an ISO that lies as a file on the device: `mountpoint` is the ISO's. */
  readonly iso?: IsoFile;
  /** The image file below the mountpoint, or the device node. */
  readonly path: string;
  /** `NAME.caibx` and `NAME.caibx.minisig` beside the file, where they are. */
  readonly indexPath?: string;
  readonly signaturePath?: string;
  /** `NAME.release` beside the file, where it is. */
  readonly releasePath?: string;
  readonly squashfs: SquashfsIdentity;
}

export interface IsoFile {
  /** The ISO file, below the device's own mountpoint. */
  readonly path: string;
  /** Where the device is mounted. */
  readonly mountpoint: string;
  /** It is the one that the boot loader named. */
  readonly isNamed: boolean;
}

/** What is mounted for a candidate, the innermost first. */
export function mountsOf({ mountpoint, iso }: ImageCandidate): readonly string[] {
  return [mountpoint, iso?.mountpoint].filter((path) => path !== undefined);
}

export interface SquashfsIdentity {
  /** Bytes of the image: of the whole file, or of a device up to where the image ends. */
  readonly sizeBytes: number;
  /** When mksquashfs made it, in seconds since 1970; a reproducible image says what SOURCE_DATE_EPOCH said. */
  readonly madeSeconds: number;
  /** SHA-256 of the superblock in hex: the same for copies, different after any rebuild with other contents. */
  readonly superblock: string;
}

/**
 * Reads what tells one image from another out of its superblock.
 * @param containerBytes size of the file or device it lies in
 * @throws Error when it is no squashfs, has a corrupt superblock, or is longer than what it lies in
 */
export function decodeSquashfsIdentity(
  start: Uint8Array,
  containerBytes: number,
  kind: 'file' | 'device',
): SquashfsIdentity {
  const superblock = decodeSquashfs(start);
  return {
    sizeBytes: squashfsImageSize(superblock, containerBytes, kind),
    madeSeconds: superblock.createdSeconds,
    superblock: sha256(start.subarray(0, SUPERBLOCK_SIZE)).toString('hex'),
  };
}
