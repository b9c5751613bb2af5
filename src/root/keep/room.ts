/**
 * Where on a boot medium the kept changes go. Pure: the disk's table and sizes in, a place or the reason why not out.
 */
import { freeNumber, type MbrPartition, SECTOR_BYTES } from './mbr.ts';

const MIB = 1024 * 1024;

/** Less is not worth a partition. */
export const LEAST_KEEP_BYTES = 64 * MIB;
/**
 * A newer ISO is larger, and is to leave what lies behind it alone when it is written over the old one: the place begins
 * at a round number a quarter of the image away from it. On a medium that has no such room it begins right behind.
 */
const ROUND_BYTES = 256 * MIB;
const GROWTH_SHARE = 1 / 4;
const TIGHT_BYTES = 4 * MIB;
/** So far behind the image a place of an older ISO is looked for: the read of a sector each. */
const ROUND_PLACES = 256;
const TIGHT_PLACES = 256;
/** The last sector that an MBR can name. */
const MBR_END_BYTES = 2 ** 32 * SECTOR_BYTES;

export interface BootDisk {
  readonly sizeBytes: number;
  readonly partitions: readonly MbrPartition[];
  /** End of the ISO or image, as far as the medium's own file system goes. */
  readonly imageEndBytes: number;
}

export interface KeepPlace {
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;

/** Where the last thing on the disk ends. */
export function endOfUse({ partitions, imageEndBytes }: BootDisk): number {
  return Math.max(imageEndBytes, ...partitions.map((each) => (each.startSector + each.sectors) * SECTOR_BYTES));
}

/** The place for a new partition, or why there is none. */
export function planPlace(disk: BootDisk): KeepPlace | string {
  const number = freeNumber(disk.partitions);
  if (number === undefined) return 'its partition table has no free entry';
  const used = endOfUse(disk);
  const end = Math.min(disk.sizeBytes, MBR_END_BYTES);
  const starts = [roundUp(used + disk.imageEndBytes * GROWTH_SHARE, ROUND_BYTES), roundUp(used, TIGHT_BYTES)];
  const start = starts.find((each) => end - each >= LEAST_KEEP_BYTES);
  if (start === undefined) {
    const free = Math.max(0, Math.floor((disk.sizeBytes - used) / MIB));
    return `there are ${free} MiB behind the image, and ${LEAST_KEEP_BYTES / MIB} MiB are the least`;
  }
  const sizeBytes = Math.floor((end - start) / MIB) * MIB;
  return { number, startBytes: start, sizeBytes };
}

/** Where planPlace may have put a partition for an ISO that was not longer than this: offsets to look for a mark at. */
export function placesToProbe(disk: BootDisk): readonly number[] {
  const used = endOfUse(disk);
  const places = (unit: number, count: number) =>
    Array.from({ length: count }, (_, index) => roundUp(used, unit) + index * unit);
  const all = new Set([...places(ROUND_BYTES, ROUND_PLACES), ...places(TIGHT_BYTES, TIGHT_PLACES)]);
  return [...all].filter((place) => place + LEAST_KEEP_BYTES <= disk.sizeBytes).sort((left, right) => left - right);
}

/** Bytes for the file that holds the changes, on a medium of so many free; or why there is none. */
export function planFileBytes(freeBytes: number, mostBytes: number): number | string {
  const sizeBytes = Math.floor(Math.min(freeBytes / 2, mostBytes) / MIB) * MIB;
  if (sizeBytes >= LEAST_KEEP_BYTES) return sizeBytes;
  return `${Math.floor(freeBytes / MIB)} MiB are free on it, and ${(2 * LEAST_KEEP_BYTES) / MIB} MiB are the least`;
}
