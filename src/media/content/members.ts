/**
 * Devices that are a part of something larger, or closed: what looks like a file system on them is older, or not whole.
 * Places and checks are libblkid's (util-linux, libblkid/src/superblocks), and so are the names.
 */
import { crc32, crc32c, crc64, lvmCrc } from './checksum.ts';
import type { Geometry } from './geometry.ts';
import type { Head } from './head.ts';
import { isMd1, MD_BYTES } from './md.ts';

/** Something that VIVER knows and cannot use, named so that a person knows why a disk was passed over. */
export interface UnusableContent {
  readonly usable: false;
  /** libblkid's name, where it has one. */
  readonly type: string;
  readonly reason: string;
  /** All of the device is part of this, its partitions too. */
  readonly isMember?: true;
}

export function unusable(type: string, reason: string): UnusableContent {
  return { usable: false, type, reason };
}

/** A part of a RAID, which a signature that was left behind looks like too. */
export function member(type: string, reason: string): UnusableContent {
  const cure = 'if it is none any more, wipefs tells and removes what is left of it';
  return { usable: false, type, reason: `${reason}; ${cure}`, isMember: true };
}

export const MD_MEMBER = member('linux_raid_member', 'part of a software RAID, which is not assembled');

const LVM = unusable('LVM2_member', 'logical volumes are not opened');
const ENCRYPTED = 'encrypted';

function md1(head: Head): boolean {
  return [0, 4096].some((offset) => isMd1(head.bytes(offset, MD_BYTES), offset));
}

/** The label is in one of the first four sectors and says in which. */
function lvm2(head: Head): boolean {
  return [0, 1, 2, 3].some((sector) => {
    const at = sector * 512;
    if (!head.has(at, 'LABELONE') || !head.has(at + 24, 'LVM2 001') || head.u64(at + 8) !== BigInt(sector))
      return false;
    return lvmCrc(head.bytes(at + 20, 512 - 20)) === head.u32(at + 16);
  });
}

function luks(head: Head): boolean {
  if (!head.has(0, 'LUKS\xba\xbe')) return false;
  // version 2 says where it lies
  return head.u8(6) !== 0 || head.u8(7) !== 2 || head.u64be(256) === 0n;
}

const BCACHE_AT = 4096;
const BCACHE_MAGIC = '\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81';
/** Younger bcachefs has a number of its own. */
const BCACHEFS_MAGIC = '\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef';
const BCACHE_KEYS = { at: 206, most: 256, first: 208 };

function bcache(head: Head): boolean {
  if (!head.has(BCACHE_AT + 24, BCACHE_MAGIC)) return false;
  const keys = head.u16(BCACHE_AT + BCACHE_KEYS.at);
  if (keys > BCACHE_KEYS.most || head.u64(BCACHE_AT + 8) !== BigInt(BCACHE_AT / 512)) return false;
  return crc64(head.bytes(BCACHE_AT + 8, BCACHE_KEYS.first + keys * 8 - 8)) === head.u64(BCACHE_AT);
}

/** Its superblock names its own place, in sectors, where bcache has something else. */
function bcachefs(head: Head): boolean {
  if (!head.has(BCACHE_AT + 24, BCACHEFS_MAGIC) && !head.has(BCACHE_AT + 24, BCACHE_MAGIC)) return false;
  return head.u64(BCACHE_AT + 104) === BigInt(BCACHE_AT / 512) && head.u8(BCACHE_AT + 123) > head.u8(BCACHE_AT + 122);
}

/** The first sector of the second and of the tenth hold the same, each with its checksum. */
function stratis(head: Head): boolean {
  return [512, 9 * 512].some(
    (at) => head.has(at + 4, '!Stra0tis\x86\xff\x02^\x41rh') && crc32c(head.bytes(at + 4, 508)) === head.u32(at),
  );
}

function ubi(head: Head): boolean {
  return head.has(0, 'UBI#') && ~crc32(head.bytes(0, 60)) >>> 0 === head.u32be(60);
}

const drbdManage = (head: Head): boolean =>
  head.has(0, '$DRBDmgr=q') && /^[\da-f]{32}\n$/i.test(Buffer.from(head.bytes(11, 33)).toString('latin1'));

const ZFS = { label: 16 * 1024, end: 64 * 1024, mostPairs: 64 };
const XDR = { uint64: 8, list: 19 };

/**
 * The first label of a ZFS vdev: a list of named values, XDR encoded (RFC 4506), behind a header of 12 bytes. Each
 * value says how long it is. Lists in the list come last and are not looked into.
 */
function zfs(head: Head): boolean {
  if (head.u8(ZFS.label) !== 1 || head.u8(ZFS.label + 1) > 1 || head.u32be(ZFS.label + 12) === 0) return false;
  const values = new Map<string, bigint>();
  let at = ZFS.label + 12;
  for (let pair = 0; pair < ZFS.mostPairs && at + 64 < ZFS.end; pair++) {
    const size = head.u32be(at);
    const nameBytes = head.u32be(at + 8);
    const value = at + 12 + Math.ceil(nameBytes / 4) * 4;
    if (size < 20 || nameBytes > 255 || at + size > ZFS.end || value + 16 > ZFS.end) break;
    const type = head.u32be(value);
    if (type === XDR.list) break;
    if (type === XDR.uint64) values.set(head.text(at + 12, nameBytes), head.u64be(value + 8));
    at += size;
  }
  const state = values.get('state') ?? 0n;
  const isSpare = state === 3n || state === 4n;
  return (values.get('guid') ?? 0n) !== 0n && state <= 7n && (isSpare || (values.get('txg') ?? 0n) > 0n);
}

/** What the first bytes tell, the more certain first. `only: 'disk'` is what firmware or a controller made of disks. */
const AT_START: readonly {
  readonly is: (head: Head) => boolean;
  readonly content: UnusableContent;
  readonly only?: 'member' | 'disk';
}[] = [
  { is: md1, content: MD_MEMBER, only: 'member' },
  {
    is: (head) => head.has(4640, '\xf0\x16\x78\x5a') || head.has(4640, '\xfd\x16\x78\x5a'),
    content: member('hpt37x_raid_member', 'part of a HighPoint RAID'),
    only: 'disk',
  },
  { is: bcache, content: unusable('bcache', 'part of a cached disk, which is not put together') },
  { is: bcachefs, content: unusable('bcachefs', 'not among the file systems that are searched') },
  { is: (head) => head.has(0, 'bluestore block device'), content: unusable('ceph_bluestore', 'part of a Ceph store') },
  { is: drbdManage, content: unusable('drbdmanage_control_volume', 'part of a DRBD') },
  { is: (head) => head.has(0, 'DRBDdlh*'), content: unusable('drbdproxy_datalog', 'part of a DRBD') },
  { is: lvm2, content: LVM, only: 'member' },
  {
    is: (head) => head.has(0, 'HM') && [1, 2].includes(head.u16(2)),
    content: { ...LVM, type: 'LVM1_member' },
    only: 'member',
  },
  { is: (head) => head.has(0, 'SnAp'), content: unusable('DM_snapshot_cow', 'part of a snapshot') },
  {
    is: (head) => head.has(0, 'verity\0\0') && head.u32(8) === 1,
    content: unusable('DM_verity_hash', 'the checksums of another device'),
  },
  {
    is: (head) => head.has(0, 'integrt\0') && head.u8(8) !== 0,
    content: unusable('DM_integrity', 'dm-integrity is not opened'),
  },
  { is: luks, content: unusable('crypto_LUKS', ENCRYPTED) },
  { is: ubi, content: unusable('ubi', 'raw flash'), only: 'member' },
  { is: (head) => head.has(0, 'dmvdo001'), content: unusable('vdo', 'part of a VDO volume') },
  {
    is: (head) => head.has(88, 'CS') && head.u16(8) === 1 && head.u16(10) === 0x10,
    content: unusable('cs_fvault2', ENCRYPTED),
  },
  { is: stratis, content: unusable('stratis', 'part of a Stratis pool'), only: 'member' },
  { is: (head) => head.has(3, '-FVE-FS-'), content: unusable('BitLocker', ENCRYPTED) },
  { is: zfs, content: unusable('zfs_member', 'part of a ZFS pool, which is not imported') },
];

/** @param head at least the first 64 KiB of the device */
export function memberAtStart(head: Head, geometry: Geometry, mayBeMember: boolean): UnusableContent | undefined {
  return AT_START.find(({ is, only }) => {
    if (only !== undefined && !mayBeMember) return false;
    return (only !== 'disk' || geometry.partitions !== undefined) && is(head);
  })?.content;
}
