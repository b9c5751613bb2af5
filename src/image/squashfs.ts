/**
 * The squashfs superblock: the first 96 bytes of an image, little-endian.
 * Source: Linux fs/squashfs/squashfs_fs.h (struct squashfs_super_block); the checks are those of squashfs_fill_super.
 */

/** Bytes needed from the start of a file or device to decode the superblock. */
export const SUPERBLOCK_SIZE = 96;

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
  if (bytes.length < 4) return false;
  const magic = view(bytes).getUint32(0, true);
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
  const fields = view(bytes);
  if (!isSquashfs(bytes)) throw new Error('no squashfs image: wrong magic number');
  const major = fields.getUint16(28, true);
  const minor = fields.getUint16(30, true);
  if (fields.getUint32(0, true) === MAGIC_SWAPPED || major !== 4 || minor !== 0) {
    throw new Error(`squashfs version ${major}.${minor} cannot be mounted, only 4.0 can`);
  }
  const compression = COMPRESSIONS[fields.getUint16(20, true)];
  if (compression === undefined) throw corrupt(`unknown compression ${fields.getUint16(20, true)}`);
  const blockSize = fields.getUint32(12, true);
  const blockLog = fields.getUint16(22, true);
  if (blockSize < BLOCK_SIZE_MIN || blockSize > BLOCK_SIZE_MAX || blockSize !== 2 ** blockLog) {
    throw corrupt(`block size ${blockSize} (log ${blockLog})`);
  }
  if (Number(fields.getBigUint64(32, true) & 0xffffn) > METADATA_SIZE) throw corrupt('root inode reference');
  const inodes = fields.getUint32(4, true);
  if (inodes === 0) throw corrupt('no inodes');
  if (fields.getUint16(26, true) === 0) throw corrupt('no user ids');
  return {
    inodes,
    createdSeconds: fields.getUint32(8, true),
    blockSize,
    fragments: fields.getUint32(16, true),
    compression,
    flags: decodeFlags(fields.getUint16(24, true)),
    bytesUsed: checkTables(fields),
  };
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
function checkTables(fields: DataView): number {
  const bytesUsed = fields.getBigUint64(40, true);
  if (bytesUsed > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(`size of ${bytesUsed} bytes`);
  const inodeTable = fields.getBigUint64(64, true);
  const directoryTable = fields.getBigUint64(72, true);
  if (inodeTable < BigInt(SUPERBLOCK_SIZE) || inodeTable >= directoryTable) throw corrupt('inode table');
  if (directoryTable >= bytesUsed) throw corrupt('directory table');
  if (fields.getBigUint64(48, true) === NO_TABLE) throw corrupt('no id table');
  const behindDirectories: readonly (readonly [string, number])[] = [
    ['id table', 48],
    ['xattr table', 56],
    ['fragment table', 80],
    ['export table', 88],
  ];
  for (const [name, offset] of behindDirectories) {
    const start = fields.getBigUint64(offset, true);
    if (start !== NO_TABLE && (start < directoryTable || start >= bytesUsed)) throw corrupt(name);
  }
  return Number(bytesUsed);
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

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
