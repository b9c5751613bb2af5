/**
 * The squashfs superblock: the first 96 bytes of an image, little-endian.
 * Source: Linux fs/squashfs/squashfs_fs.h (struct squashfs_super_block); the checks are those of squashfs_fill_super.
 */

import { decode, struct, u16le, u32le, u64leBig } from '../codec/struct.ts';

/** "hsqs" on disk. */
const MAGIC = 0x73717368;
/** "sqsh": what squashfs before 4.0 wrote on big-endian machines. */
const MAGIC_SWAPPED = 0x68737173;
const BLOCK_SIZE_MIN = 4096;
const BLOCK_SIZE_MAX = 1024 * 1024;
/** mksquashfs pads a file to this, so that a loop device shows its last block whole. */
const PADDING = 4096;
/** An inode reference's low 16 bits are an offset within one metadata block of at most this size. */
const METADATA_SIZE = 8192;
/** A table that is not there. */
const NO_TABLE = 2n ** 64n - 1n;

/** sqfs_super_t of libsquashfs has the same layout. */
export const SUPERBLOCK = struct('squashfs superblock', [
  ['magic', u32le],
  ['inodes', u32le],
  ['createdSeconds', u32le],
  ['blockSize', u32le],
  ['fragments', u32le],
  ['compression', u16le],
  ['blockLog', u16le],
  ['flags', u16le],
  ['ids', u16le],
  ['major', u16le],
  ['minor', u16le],
  ['rootInode', u64leBig],
  ['bytesUsed', u64leBig],
  ['idTable', u64leBig],
  ['xattrTable', u64leBig],
  ['inodeTable', u64leBig],
  ['directoryTable', u64leBig],
  ['fragmentTable', u64leBig],
  ['exportTable', u64leBig],
]);

/** Bytes needed from the start of a file or device to decode the superblock. */
export const SUPERBLOCK_SIZE = SUPERBLOCK.size;

const COMPRESSIONS: Readonly<Record<number, SquashfsCompression>> = {
  1: 'gzip',
  2: 'lzma',
  3: 'lzo',
  4: 'xz',
  5: 'lz4',
  6: 'zstd',
};

export type SquashfsCompression = 'gzip' | 'lzma' | 'lzo' | 'xz' | 'lz4' | 'zstd';

export interface SquashfsSuperblock {
  readonly inodes: number;
  /** When the file system was made, in seconds since 1970 (UTC). */
  readonly createdSeconds: number;
  readonly blockSize: number;
  readonly fragments: number;
  readonly compression: SquashfsCompression;
  readonly flags: SquashfsFlags;
  /** Bytes the file system takes from the start of its device; a file is padded up to a multiple of 4096. */
  readonly bytesUsed: number;
}

export interface SquashfsFlags {
  readonly uncompressedInodes: boolean;
  readonly uncompressedData: boolean;
  readonly uncompressedFragments: boolean;
  readonly noFragments: boolean;
  readonly alwaysFragments: boolean;
  readonly duplicatesRemoved: boolean;
  readonly exportable: boolean;
  readonly uncompressedXattrs: boolean;
  readonly noXattrs: boolean;
  readonly compressorOptions: boolean;
  readonly uncompressedIds: boolean;
}

/** True when the bytes begin as a squashfs of any version does; says nothing about whether it is sound. */
export function isSquashfs(bytes: Uint8Array): boolean {
  if (bytes.length < u32le.size) return false;
  const magic = decode(u32le, bytes.subarray(0, u32le.size));
  return magic === MAGIC || magic === MAGIC_SWAPPED;
}

/**
 * Decodes and checks the superblock.
 * @param bytes the start of the file or device, at least 96 bytes
 * @throws Error saying what is wrong: too short, no squashfs, other version, or which field is corrupt
 */
export function decodeSquashfs(bytes: Uint8Array): SquashfsSuperblock {
  if (bytes.length < SUPERBLOCK_SIZE) {
    throw new Error(`no squashfs image: ${bytes.length} bytes are too short for a superblock`);
  }
  if (!isSquashfs(bytes)) throw new Error('no squashfs image: wrong magic number');
  const fields = decode(SUPERBLOCK, bytes.subarray(0, SUPERBLOCK_SIZE));
  const { magic, major, minor, inodes, createdSeconds, blockSize, fragments } = fields;
  if (magic === MAGIC_SWAPPED || major !== 4 || minor !== 0) {
    throw new Error(`squashfs version ${major}.${minor} cannot be mounted, only 4.0 can`);
  }
  const compression = COMPRESSIONS[fields.compression];
  if (compression === undefined) throw corrupt(`unknown compression ${fields.compression}`);
  if (blockSize < BLOCK_SIZE_MIN || blockSize > BLOCK_SIZE_MAX || blockSize !== 2 ** fields.blockLog) {
    throw corrupt(`block size ${blockSize} (log ${fields.blockLog})`);
  }
  if (Number(fields.rootInode & 0xffffn) > METADATA_SIZE) throw corrupt('root inode reference');
  if (inodes === 0) throw corrupt('no inodes');
  if (fields.ids === 0) throw corrupt('no user ids');
  checkTables(fields);
  const flags = decodeFlags(fields.flags);
  return { inodes, createdSeconds, blockSize, fragments, compression, flags, bytesUsed: Number(fields.bytesUsed) };
}

/**
 * The size of the image that `superblock` begins, on something of `size` bytes: a whole file is the image; on a
 * partition, which is larger, the image ends where mksquashfs pads it to.
 * @throws Error when the file or device ends before the image does: it was cut short
 */
export function squashfsImageSize(superblock: SquashfsSuperblock, size: number, kind: 'file' | 'device'): number {
  const { bytesUsed } = superblock;
  if (size < bytesUsed) throw new Error(`image truncated: ${size} of ${bytesUsed} bytes are there`);
  return kind === 'file' ? size : Math.min(size, Math.ceil(bytesUsed / PADDING) * PADDING);
}

/** The tables lie in this order behind the data, and all before the end. */
function checkTables(fields: ReturnType<typeof SUPERBLOCK.read>[0]): void {
  const { bytesUsed, inodeTable, directoryTable, idTable } = fields;
  if (bytesUsed > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(`size of ${bytesUsed} bytes`);
  if (inodeTable < BigInt(SUPERBLOCK_SIZE) || inodeTable >= directoryTable) throw corrupt('inode table');
  if (directoryTable >= bytesUsed) throw corrupt('directory table');
  if (idTable === NO_TABLE) throw corrupt('no id table');
  for (const name of ['idTable', 'xattrTable', 'fragmentTable', 'exportTable'] as const) {
    const start = fields[name];
    if (start !== NO_TABLE && (start < directoryTable || start >= bytesUsed)) throw corrupt(name);
  }
}

function decodeFlags(bits: number): SquashfsFlags {
  const has = (bit: number): boolean => (bits & (1 << bit)) !== 0;
  return {
    uncompressedInodes: has(0),
    uncompressedData: has(1),
    uncompressedFragments: has(3),
    noFragments: has(4),
    alwaysFragments: has(5),
    duplicatesRemoved: has(6),
    exportable: has(7),
    uncompressedXattrs: has(8),
    noXattrs: has(9),
    compressorOptions: has(10),
    uncompressedIds: has(11),
  };
}

function corrupt(what: string): Error {
  return new Error(`squashfs superblock corrupt: ${what}`);
}
