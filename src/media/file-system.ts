/**
 * What is on a block device, told from its first bytes. Layouts: Linux' own headers (include/linux/*_fs.h, fs/*),
 * ECMA-119 for ISO 9660, the exFAT and FAT specifications; names and UUIDs are written as blkid writes them.
 */

import { Head } from './content/head.ts';
import { type UnusableContent, unusable } from './content/members.ts';

export type { UnusableContent } from './content/members.ts';

/** File systems an image may lie on. */
export type FileSystemType =
  | 'squashfs'
  | 'iso9660'
  | 'ext2'
  | 'ext3'
  | 'ext4'
  | 'xfs'
  | 'btrfs'
  | 'vfat'
  | 'exfat'
  | 'ntfs';

interface Identity {
  /**
   * Undefined when it has none, and on exFAT and NTFS, which keep it outside the first bytes; of FAT what the boot
   * sector says, which the root directory may correct: content/volume-label.ts reads on.
   */
  readonly label?: string;
  readonly uuid?: string;
}

export interface FileSystem extends Identity {
  readonly usable: true;
  readonly type: FileSystemType;
  /** What the file system itself says it needs of the device, in bytes; undefined when beyond 2^53-1. */
  readonly sizeBytes: number | undefined;
}

/** Bytes from the start of a device that `decodeFileSystem` wants: btrfs has its superblock at 64 KiB. */
export const DETECTION_BYTES = 68 * 1024;

const latin = new TextDecoder('latin1');

function safeBytes(count: bigint, unit: number): number | undefined {
  const bytes = count * BigInt(unit);
  return bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : undefined;
}

function isPowerOfTwo(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && (value & (value - 1)) === 0;
}

function named(label: string, uuid: string): Identity {
  return { ...(label === '' ? {} : { label }), ...(uuid === '' ? {} : { uuid }) };
}

function found(type: FileSystemType, sizeBytes: number | undefined, identity: Identity = {}): FileSystem {
  return { usable: true, type, sizeBytes, ...identity };
}

/** `XXXX-XXXX` from a 32-bit serial number. */
function serial(value: number): string {
  const hex = value.toString(16).toUpperCase().padStart(8, '0');
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}

function squashfs(head: Head): FileSystem | undefined {
  if (!head.has(0, 'hsqs') || head.u16(28) !== 4) return undefined;
  return found('squashfs', safeBytes(head.u64(40), 1));
}

function xfs(head: Head): FileSystem | undefined {
  if (!head.has(0, 'XFSB') || !isPowerOfTwo(head.u32be(4), 512, 65_536)) return undefined;
  return found('xfs', safeBytes(head.u64be(8), head.u32be(4)), named(head.text(108, 12), head.uuid(32)));
}

function exfat(head: Head): FileSystem | undefined {
  const sectorShift = head.u8(108);
  if (!head.has(3, 'EXFAT   ') || sectorShift < 9 || sectorShift > 12) return undefined;
  return found('exfat', safeBytes(head.u64(72), 1 << sectorShift), { uuid: serial(head.u32(100)) });
}

function ntfs(head: Head): FileSystem | undefined {
  if (!head.has(3, 'NTFS    ') || !isPowerOfTwo(head.u16(11), 256, 4096)) return undefined;
  const uuid = head.u64(0x48).toString(16).toUpperCase().padStart(16, '0');
  return found('ntfs', safeBytes(head.u64(0x28), head.u16(11)), { uuid });
}

const BTRFS_SUPERBLOCK = 0x1_0000;

function btrfs(head: Head): FileSystem | undefined {
  if (!head.has(BTRFS_SUPERBLOCK + 0x40, '_BHRfS_M')) return undefined;
  return found(
    'btrfs',
    safeBytes(head.u64(BTRFS_SUPERBLOCK + 0x70), 1),
    named(head.text(BTRFS_SUPERBLOCK + 0x12b, 256), head.uuid(BTRFS_SUPERBLOCK + 0x20)),
  );
}

/** Devices of one btrfs; a corrupt superblock may say any number. */
export function btrfsMembers(start: Uint8Array): { readonly devices: number; readonly uuid: string } | undefined {
  const head = new Head(start, DETECTION_BYTES);
  if (btrfs(head) === undefined) return undefined;
  return { devices: Number(head.u64(BTRFS_SUPERBLOCK + 0x88)), uuid: head.uuid(BTRFS_SUPERBLOCK + 0x20) };
}

const EXT_SUPERBLOCK = 0x400;
/** Feature bits of fs/ext4/ext4.h. */
const EXT = {
  compatHasJournal: 0x4,
  incompatJournalDevice: 0x8,
  incompat64Bit: 0x80,
  /** What the ext3 driver knew: filetype, recover, meta_bg; sparse_super, large_file, btree_dir. */
  incompatExt3: 0x2 | 0x4 | 0x10,
  roCompatExt3: 0x1 | 0x2 | 0x4,
} as const;

function ext(head: Head): FileSystem | UnusableContent | undefined {
  const at = (offset: number): number => head.u32(EXT_SUPERBLOCK + offset);
  const logBlock = at(0x18);
  if (head.u16(EXT_SUPERBLOCK + 0x38) !== 0xef53 || logBlock > 6) return undefined;
  const incompat = at(0x60);
  if ((incompat & EXT.incompatJournalDevice) !== 0) return unusable('jbd', 'the journal of another file system');
  const hasExt4 = (incompat & ~EXT.incompatExt3) !== 0 || (at(0x64) & ~EXT.roCompatExt3) !== 0;
  const type = hasExt4 ? 'ext4' : (at(0x5c) & EXT.compatHasJournal) !== 0 ? 'ext3' : 'ext2';
  const high = (incompat & EXT.incompat64Bit) !== 0 ? BigInt(at(0x150)) << 32n : 0n;
  return found(
    type,
    safeBytes(high | BigInt(at(0x4)), 1024 << logBlock),
    named(head.text(EXT_SUPERBLOCK + 0x78, 16), head.uuid(EXT_SUPERBLOCK + 0x68)),
  );
}

const ISO_DESCRIPTOR = 0x8000;

function iso9660(head: Head): FileSystem | undefined {
  if (head.u8(ISO_DESCRIPTOR) !== 1 || !head.has(ISO_DESCRIPTOR + 1, 'CD001')) return undefined;
  const blockBytes = head.u16(ISO_DESCRIPTOR + 128);
  if (!isPowerOfTwo(blockBytes, 512, 2048)) return undefined;
  // blkid's UUID of an ISO: the modification time, or the creation time where that is not set
  const times = [830, 813].map((offset) => head.text(ISO_DESCRIPTOR + offset, 16, latin));
  const time = times.find((digits) => /^\d{16}$/.test(digits) && !/^0+$/.test(digits)) ?? '';
  const uuid = time.replace(/^(....)(..)(..)(..)(..)(..)(..)$/, '$1-$2-$3-$4-$5-$6-$7');
  const size = safeBytes(BigInt(head.u32(ISO_DESCRIPTOR + 80)), blockBytes);
  return found('iso9660', size, named(head.text(ISO_DESCRIPTOR + 40, 32, latin), uuid));
}

/** Names of the type in a boot sector, of FAT32 and of the older ones; that they are there makes it FAT for libblkid. */
const FAT_NAMES = { fat32: ['MSWIN', 'FAT32   '], older: ['MSDOS', 'FAT16   ', 'FAT12   ', 'FAT     '] };
/** What OS/2 calls other file systems in a boot sector like FAT's. */
const NOT_FAT = ['JFS     ', 'HPFS    '];
const MOST_FAT_CLUSTERS = { fat12: 0xff4, fat16: 0xfff4, fat32: 0x0fff_fff6 };

/** Where the parts of a FAT lie, in bytes. */
export interface FatLayout {
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  readonly fatStart: number;
  /** Of all FATs. */
  readonly fatBytes: number;
  readonly rootEntries: number;
  /** Undefined on FAT12 and FAT16. */
  readonly rootCluster: number | undefined;
  /** Entries of one FAT32. */
  readonly fatEntries: number;
}

/** FAT has no magic number: the boot sector must make sense, and name the type or look like a boot sector. */
export function fatLayout(head: Head): FatLayout | undefined {
  const isNamed =
    FAT_NAMES.fat32.some((name) => head.has(0x52, name)) || FAT_NAMES.older.some((name) => head.has(0x36, name));
  if (!isNamed && (head.u16(510) !== 0xaa55 || NOT_FAT.some((name) => head.has(0x36, name)))) return undefined;
  const sectorBytes = head.u16(11);
  const clusterSectors = head.u8(13);
  const fats = head.u8(16);
  const media = head.u8(21);
  if (fats === 0 || head.u16(14) === 0 || (media < 0xf8 && media !== 0xf0)) return undefined;
  if (!isPowerOfTwo(clusterSectors, 1, 128) || !isPowerOfTwo(sectorBytes, 512, 4096)) return undefined;
  const isFat32 = head.u16(22) === 0 && head.u32(36) !== 0;
  const fatSectors = (head.u16(22) || head.u32(36)) * fats;
  const rootEntries = head.u16(17);
  const rootSectors = Math.ceil((rootEntries * 32) / sectorBytes);
  const sectors = head.u16(19) || head.u32(32);
  const clusters = (sectors - head.u16(14) - fatSectors - rootSectors) / clusterSectors;
  const most = isFat32
    ? MOST_FAT_CLUSTERS.fat32
    : clusters > MOST_FAT_CLUSTERS.fat12
      ? MOST_FAT_CLUSTERS.fat16
      : MOST_FAT_CLUSTERS.fat12;
  if (fatSectors === 0 || clusters < 0 || clusters > most) return undefined;
  return {
    sectorBytes,
    clusterBytes: clusterSectors * sectorBytes,
    fatStart: head.u16(14) * sectorBytes,
    fatBytes: fatSectors * sectorBytes,
    rootEntries,
    rootCluster: isFat32 ? head.u32(44) : undefined,
    fatEntries: Math.floor((head.u32(36) * sectorBytes) / 4),
  };
}

function vfat(head: Head): FileSystem | undefined {
  const layout = fatLayout(head);
  if (layout === undefined) return undefined;
  const sectors = head.u16(19) || head.u32(32);
  const extended = layout.rootCluster === undefined ? 0x24 : 0x40;
  const hasSerial = layout.rootCluster !== undefined || [0x28, 0x29].includes(head.u8(extended + 2));
  const label = head.u8(extended + 2) === 0x29 ? head.text(extended + 7, 11, latin) : '';
  return found(
    'vfat',
    safeBytes(BigInt(sectors), layout.sectorBytes),
    named(label === 'NO NAME' ? '' : label, hasSerial ? serial(head.u32(extended + 3)) : ''),
  );
}

/** Contents that are known and not for us: signature at an offset. What a device is a part of is in content/. */
const UNUSABLE: readonly { readonly offset: number; readonly magic: string; readonly content: UnusableContent }[] = [
  // the header ends the first page, whose size is the machine's that made it
  ...[4096, 8192, 16_384, 32_768, 65_536].flatMap((page) =>
    ['SWAPSPACE2', 'SWAP-SPACE'].map((magic) => ({
      offset: page - 10,
      magic,
      content: unusable('swap', 'swap space'),
    })),
  ),
  ...['S1SUSPEND', 'S2SUSPEND', 'ULSUSPEND', 'LINHIB0001'].map((magic) => ({
    offset: 4086,
    magic,
    content: unusable('swsuspend', 'a hibernated system'),
  })),
  {
    offset: 1024,
    magic: '\x10\x20\xf5\xf2',
    content: unusable('f2fs', 'not among the file systems that are searched'),
  },
  {
    offset: 1024,
    magic: '\xe2\xe1\xf5\xe0',
    content: unusable('erofs', 'not among the file systems that are searched'),
  },
  ...[0x8801, 0x9001, 0x9801].map((offset) => ({
    offset,
    magic: 'NSR0',
    content: unusable('UDF', 'not among the file systems that are searched'),
  })),
];

/**
 * Signatures at the very start first: whoever made those overwrote what was there, while an older superblock further
 * in may have outlived it. ISO 9660 before FAT: a hybrid ISO may begin with a boot sector that looks like FAT's.
 */
const DETECTORS: readonly ((head: Head) => FileSystem | UnusableContent | undefined)[] = [
  squashfs,
  xfs,
  exfat,
  ntfs,
  btrfs,
  ext,
  iso9660,
  vfat,
  (head) => UNUSABLE.find((row) => head.has(row.offset, row.magic))?.content,
];

/**
 * What the first `DETECTION_BYTES` bytes of a device say is on it; fewer bytes are fine and show less.
 * Any bytes give an answer, never an error.
 * @returns undefined for nothing known, such as an empty disk or a partition table
 */
export function decodeFileSystem(start: Uint8Array): FileSystem | UnusableContent | undefined {
  const head = new Head(start, DETECTION_BYTES);
  for (const detect of DETECTORS) {
    const content = detect(head);
    if (content !== undefined) return content;
  }
  return undefined;
}
