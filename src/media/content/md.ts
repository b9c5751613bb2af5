import type { Geometry } from './geometry.ts';
import { Head } from './head.ts';

/** Linux' software RAID: the superblock's formats and places, drivers/md/md_p.h and md.c (super_90_load, super_1_load). */

const MAGIC = 0xa92b_4efc;
/** Format 0.90 lies in the last whole 64 KiB. */
const RESERVED_BYTES = 0x1_0000;
const SUPERBLOCK_0_BYTES = 64;
const SUPERBLOCK_1_BYTES = 256;
const ROLE_BYTES = 2;
/** As many roles as fit in the 4 KiB that a superblock has. */
const MOST_ROLES = (4096 - SUPERBLOCK_1_BYTES) / ROLE_BYTES;

/** Bytes to read where a superblock may be. */
export const MD_BYTES = 4096;

export const md0Offset = ({ sizeBytes }: Geometry): number => sizeBytes - (sizeBytes % RESERVED_BYTES) - RESERVED_BYTES;
export const md10Offset = ({ sizeBytes }: Geometry): number => sizeBytes - (sizeBytes % 0x1000) - 0x2000;

/** Some partition has all of the range to itself: what lies there is that partition's. */
function isCovered({ partitions = [] }: Geometry, start: number, length: number): boolean {
  return partitions.some((part) => part.offset <= start && part.offset + part.length >= start + length);
}

/** Format 0.90, whose bytes are in the order of the machine that wrote it. */
export function isMd0(bytes: Uint8Array, offset: number, geometry: Geometry): boolean {
  if (offset < 0 || bytes.length < SUPERBLOCK_0_BYTES) return false;
  const head = new Head(bytes, SUPERBLOCK_0_BYTES);
  const isLittle = head.u32(0) === MAGIC;
  if (!isLittle && head.u32be(0) !== MAGIC) return false;
  const memberBytes = (isLittle ? head.u32(32) : head.u32be(32)) * 1024;
  if (offset < memberBytes || geometry.sizeBytes < memberBytes + RESERVED_BYTES) return false;
  // at the end of the last partition it is also at the end of the disk
  return !isCovered(geometry, offset - memberBytes, memberBytes + RESERVED_BYTES);
}

/** Formats 1.0, 1.1 and 1.2 differ in their place only, which the superblock names. */
export function isMd1(bytes: Uint8Array, offset: number): boolean {
  if (offset < 0 || bytes.length < SUPERBLOCK_1_BYTES) return false;
  const head = new Head(bytes, SUPERBLOCK_1_BYTES);
  if (head.u32(0) !== MAGIC || head.u32(4) !== 1 || head.u64(144) !== BigInt(offset / 512)) return false;
  const roles = head.u32(220);
  return roles <= MOST_ROLES && checksum(bytes, SUPERBLOCK_1_BYTES + roles * ROLE_BYTES) === head.u32(216);
}

/** The sum of all words but the checksum itself, folded once (calc_sb_1_csum). */
function checksum(bytes: Uint8Array, length: number): number | undefined {
  if (bytes.length < length) return undefined;
  const head = new Head(bytes, length);
  let sum = -head.u32(216);
  for (let i = 0; i + 4 <= length; i += 4) sum += head.u32(i);
  if (length % 4 === 2) sum += head.u16(length - 2);
  return (Math.floor(sum / 2 ** 32) + (sum % 2 ** 32)) >>> 0;
}
