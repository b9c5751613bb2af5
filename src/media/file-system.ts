/**
 * What is on a block device, told from its first bytes. Layouts: Linux' own headers (include/linux/*_fs.h, fs/*),
 * ECMA-119 for ISO 9660, the exFAT and FAT specifications; names and UUIDs are written as blkid writes them.
 */

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
  /** Undefined when it has none, and on exFAT and NTFS, which keep it outside the first bytes. */
  readonly label?: string;
  readonly uuid?: string;
}

export interface FileSystem extends Identity {
  readonly usable: true;
  readonly type: FileSystemType;
  /** What the file system itself says it needs of the device, in bytes; undefined when beyond 2^53-1. */
  readonly sizeBytes: number | undefined;
}

/** Something that VIVER knows and cannot use, named so that a person knows why a disk was passed over. */
export interface UnusableContent {
  readonly usable: false;
  readonly type: string;
  readonly reason: string;
}

/** Bytes from the start of a device that `decodeFileSystem` wants: btrfs has its superblock at 64 KiB. */
export const DETECTION_BYTES = 68 * 1024;

const latin = new TextDecoder('latin1');
const utf8 = new TextDecoder('utf-8');

/** The first bytes of a device, zero beyond their end: a short device is one that lacks the signature. */
class Head {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(source: Uint8Array) {
    this.#bytes = source;
    if (source.length < DETECTION_BYTES) {
      this.#bytes = new Uint8Array(DETECTION_BYTES);
      this.#bytes.set(source);
    }
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, DETECTION_BYTES);
  }

  has(offset: number, magic: string): boolean {
    for (let i = 0; i < magic.length; i++) if (this.#bytes[offset + i] !== magic.charCodeAt(i)) return false;
    return true;
  }
  u8 = (offset: number): number => this.#view.getUint8(offset);
  u16 = (offset: number): number => this.#view.getUint16(offset, true);
  u32 = (offset: number): number => this.#view.getUint32(offset, true);
  u32be = (offset: number): number => this.#view.getUint32(offset);
  u64 = (offset: number): bigint => this.#view.getBigUint64(offset, true);
  u64be = (offset: number): bigint => this.#view.getBigUint64(offset);

  text(offset: number, length: number, decoder = utf8): string {
    const field = this.#bytes.subarray(offset, offset + length);
    const end = field.indexOf(0);
    return decoder.decode(end < 0 ? field : field.subarray(0, end)).trimEnd();
  }
  uuid(offset: number): string {
    const hex = Buffer.from(this.#bytes.subarray(offset, offset + 16)).toString('hex');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
}

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

/** FAT has no magic number: the type's name in the boot sector counts only in a boot sector that makes sense. */
function vfat(head: Head): FileSystem | undefined {
  const extended = head.has(0x52, 'FAT32   ') ? 0x40 : head.has(0x36, 'FAT1') ? 0x24 : undefined;
  const jumps = head.u8(0) === 0xeb || head.u8(0) === 0xe9;
  if (extended === undefined || !jumps || head.u16(510) !== 0xaa55) return undefined;
  if (!isPowerOfTwo(head.u16(11), 512, 4096) || !isPowerOfTwo(head.u8(13), 1, 128)) return undefined;
  if (head.u16(14) === 0 || head.u8(16) === 0) return undefined;
  const sectors = head.u16(0x13) !== 0 ? head.u16(0x13) : head.u32(0x20);
  const label = head.text(extended + 7, 11, latin);
  return found(
    'vfat',
    safeBytes(BigInt(sectors), head.u16(11)),
    named(label === 'NO NAME' ? '' : label, serial(head.u32(extended + 3))),
  );
}

function unusable(type: string, reason: string): UnusableContent {
  return { usable: false, type, reason };
}

/** Contents that are known and not for us: signature at an offset. */
const UNUSABLE: readonly { readonly offset: number; readonly magic: string; readonly content: UnusableContent }[] = [
  { offset: 0, magic: 'LUKS\xba\xbe', content: unusable('LUKS', 'encrypted') },
  { offset: 3, magic: '-FVE-FS-', content: unusable('BitLocker', 'encrypted') },
  ...[0, 512, 1024, 1536].map((offset) => ({
    offset,
    magic: 'LABELONE',
    content: unusable('LVM', 'logical volumes are not opened'),
  })),
  ...[0, 4096].map((offset) => ({
    offset,
    magic: '\xfc\x4e\x2b\xa9',
    content: unusable('RAID', 'software RAID is not assembled'),
  })),
  { offset: 4086, magic: 'SWAPSPACE2', content: unusable('swap', 'swap space') },
  { offset: 4086, magic: 'SWAP-SPACE', content: unusable('swap', 'swap space') },
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
  (head) => UNUSABLE.slice(0, 2).find((row) => head.has(row.offset, row.magic))?.content,
  squashfs,
  xfs,
  exfat,
  ntfs,
  btrfs,
  ext,
  iso9660,
  vfat,
  (head) => UNUSABLE.slice(2).find((row) => head.has(row.offset, row.magic))?.content,
];

/**
 * What the first `DETECTION_BYTES` bytes of a device say is on it; fewer bytes are fine and show less.
 * Any bytes give an answer, never an error.
 * @returns undefined for nothing known, such as an empty disk or a partition table
 */
export function decodeFileSystem(start: Uint8Array): FileSystem | UnusableContent | undefined {
  const head = new Head(start);
  for (const detect of DETECTORS) {
    const content = detect(head);
    if (content !== undefined) return content;
  }
  return undefined;
}
