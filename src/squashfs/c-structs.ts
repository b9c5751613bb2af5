/**
 * The structures that libsquashfs takes and gives in memory, of the ABI of version 1 on machines of 64 bits that are
 * little-endian (x86-64, arm64). Source: sqfs/inode.h, compressor.h, block_processor.h.
 */
import { bytes, padding, struct, u16le, u32le, u64le, u64leBig } from '../codec/struct.ts';

/** SQFS_FLAG_…: that compressor options follow the superblock. */
export const FLAG_COMPRESSOR_OPTIONS = 0x0400;
/** SQFS_FLAG_…: that the ends of large files are in fragments, too. The library claims it for every image. */
export const FLAG_ALWAYS_FRAGMENTS = 0x0020;

/** struct sqfs_compressor_config_t. */
export const COMPRESSOR_CONFIG = struct('sqfs_compressor_config_t', [
  ['id', u16le],
  ['flags', u16le],
  ['blockSize', u32le],
  ['level', u32le],
  // The union has a 64-bit member.
  ['', padding(4)],
  ['options', bytes(16)],
]);

/** SQFS_COMP_FLAG_UNCOMPRESS. */
export const FLAG_UNCOMPRESS = 0x8000;
/** SQFS_COMP_FLAG_LZ4_HC. */
export const FLAG_LZ4_HC = 0x0001;

/** struct sqfs_block_processor_desc_t. */
export const PROCESSOR = struct('sqfs_block_processor_desc_t', [
  ['size', u32le],
  ['blockSize', u32le],
  ['workers', u32le],
  ['backlog', u32le],
  ['compressor', u64leBig],
  ['writer', u64leBig],
  ['fragmentTable', u64leBig],
  ['file', u64leBig],
  ['uncompressor', u64leBig],
]);

/** SQFS_BLK_…: flags of a block. */
export const BLOCK_DONT_HASH = 0x0020;
export const BLOCK_IGNORE_SPARSE = 0x0010;
export const BLOCK_IS_SPARSE = 0x0400;
export const BLOCK_IS_COMPRESSED = 0x8000;
/** In a block's size as inodes and fragments have it: stored as it is. */
export const STORED_PLAIN = 1 << 24;
/** Bits of such a size that count bytes. */
export const SIZE_MASK = STORED_PLAIN - 1;

/** SQFS_INODE_…: types of inodes; the extended ones are these plus 7. */
export const INODE_TYPES = { directory: 1, file: 2, symlink: 3, block: 4, character: 5, fifo: 6, socket: 7 } as const;
export const EXTENDED = 7;
/** S_IF…: the file type in a mode. */
export const MODE_TYPES: Readonly<Record<number, number>> = {
  1: 0o040000,
  2: 0o100000,
  3: 0o120000,
  4: 0o060000,
  5: 0o020000,
  6: 0o010000,
  7: 0o140000,
};

/** No fragment, no attributes. */
export const NONE = 0xffffffff;

/** What every sqfs_inode_generic_t begins with; the type's own fields follow, then at INODE_SIZE what has no fixed size. */
export const INODE_HEAD = struct('sqfs_inode_generic_t', [
  ['type', u16le],
  ['mode', u16le],
  ['uidIndex', u16le],
  ['gidIndex', u16le],
  ['mtime', u32le],
  ['number', u32le],
  ['payloadAvailable', u32le],
  ['payloadUsed', u32le],
]);
/** sizeof(sqfs_inode_generic_t): the head and its largest member, sqfs_inode_file_ext_t. */
export const INODE_SIZE = 64;

export const INODE_FILE = struct('sqfs_inode_file_t', [
  ['start', u32le],
  ['fragment', u32le],
  ['fragmentOffset', u32le],
  ['size', u32le],
]);
export const INODE_FILE_EXTENDED = struct('sqfs_inode_file_ext_t', [
  ['start', u64le],
  ['size', u64le],
  ['sparse', u64le],
  ['links', u32le],
  ['fragment', u32le],
  ['fragmentOffset', u32le],
  ['attributes', u32le],
]);
export const INODE_SYMLINK = struct('sqfs_inode_slink_ext_t', [
  ['links', u32le],
  ['targetSize', u32le],
  ['attributes', u32le],
]);
export const INODE_DEVICE = struct('sqfs_inode_dev_ext_t', [
  ['links', u32le],
  ['device', u32le],
  ['attributes', u32le],
]);
export const INODE_PIPE = struct('sqfs_inode_ipc_ext_t', [
  ['links', u32le],
  ['attributes', u32le],
]);
export const INODE_DIRECTORY = struct('sqfs_inode_dir_t', [
  ['start', u32le],
  ['links', u32le],
  ['size', u16le],
  ['offset', u16le],
  ['parent', u32le],
]);
export const INODE_DIRECTORY_EXTENDED = struct('sqfs_inode_dir_ext_t', [
  ['links', u32le],
  ['size', u32le],
  ['start', u32le],
  ['parent', u32le],
  ['indexCount', u16le],
  ['offset', u16le],
  ['attributes', u32le],
]);

/** How a device number lies in an inode: Linux' new_encode_dev (include/linux/kdev_t.h). */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

export function decodeDevice(device: number): { readonly major: number; readonly minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}
