/** What becomes of a disk that images are written to. Pure: what is on it in, what is kept and lost out. */
import { ISO_START_BYTES, isoVolume } from '../../root/keep/iso-volume.ts';
import { decodeMark } from '../../root/keep/mark.ts';
import { decodeMbr, type MbrPartition, SECTOR_BYTES, withPartition } from '../../root/keep/mbr.ts';
import { LEAST_KEEP_BYTES, placesToProbe } from '../../root/keep/room.ts';

export { ISO_START_BYTES };

const MIB = 1024 * 1024;
/** The ISO's own partitions: itself, and the EFI system partition. */
const OWN_PARTITIONS = 2;
const ISO_NAME = 'VIVER';

export interface DiskFacts {
  readonly sizeBytes: number;
  /** Its first ISO_START_BYTES; fewer when it is smaller. */
  readonly start: Uint8Array;
  /** A sector of it. */
  readonly sectorAt: (offsetBytes: number) => Uint8Array;
}

/** A partition behind the image that stays. */
export interface KeptPartition {
  readonly number: number;
  readonly startSector: number;
  readonly sectors: number;
}

export interface StickPlan {
  /** The disk was written by viver stick, or an ISO of VIVER to it by dd, before. */
  readonly isUpdate: boolean;
  readonly kept: readonly KeptPartition[];
  /** Where marks of changes lie that no boot is to find again: sectors to be cleared. */
  readonly staleMarks: readonly number[];
  /** Room behind the image for changes. */
  readonly freeBytes: number;
  /** What a person should know before it is done. */
  readonly notes: readonly string[];
}

const mib = (bytes: number): string => `${Math.floor(bytes / MIB)} MiB`;

/**
 * @param isoBytes length of what is written
 * @param anew what was kept on the disk is thrown away
 * @throws Error when it does not fit, or would overwrite what was kept
 */
export function planStick(disk: DiskFacts, isoBytes: number, anew = false): StickPlan {
  if (disk.sizeBytes < isoBytes) {
    throw new Error(
      `too small: it has ${mib(disk.sizeBytes)}, the images with their boot loader need ${mib(isoBytes + MIB - 1)}`,
    );
  }
  const isUpdate = isoVolume(disk.start)?.name === ISO_NAME;
  const before = isUpdate && !anew ? partitionsBehind(disk) : [];
  const overwritten = before.find(({ startSector }) => startSector * SECTOR_BYTES < isoBytes);
  if (overwritten !== undefined) {
    const at = mib(overwritten.startSector * SECTOR_BYTES);
    throw new Error(
      `the images now need ${mib(isoBytes + MIB - 1)}, and the changes kept on it begin at ${at}: --new throws them away`,
    );
  }
  const freeBytes = before.length > 0 ? 0 : disk.sizeBytes - isoBytes;
  const notes =
    before.length > 0
      ? before.map(
          ({ number, sectors }) =>
            `partition ${number} behind the image (${mib(sectors * SECTOR_BYTES)}) stays: changes kept on it go on`,
        )
      : [isUpdate ? 'no changes are kept on it' : 'all that is on it is lost'];
  if (before.length === 0) {
    notes.push(
      freeBytes < LEAST_KEEP_BYTES
        ? 'there is no room behind the image for changes (viver.cow=keep)'
        : `${mib(freeBytes)} behind the image are for changes (viver.cow=keep)`,
    );
  }
  const staleMarks =
    isUpdate && !anew ? [] : marks(disk, [], isoBytes).map(({ startSector }) => startSector * SECTOR_BYTES);
  return { isUpdate, kept: before, staleMarks, freeBytes, notes };
}

/** Partitions that the ISO has not: those of the table, or one that an ISO written by dd took out of it. */
function partitionsBehind(disk: DiskFacts): readonly KeptPartition[] {
  const table = decodeMbr(disk.start.subarray(0, SECTOR_BYTES)) ?? [];
  const more = table.filter(({ number }) => number > OWN_PARTITIONS);
  if (more.length > 0) return more;
  return marks(disk, table, isoVolume(disk.start)?.endBytes ?? 0).slice(0, 1);
}

/** Partitions that have a mark where a boot looks for one. */
function marks(disk: DiskFacts, partitions: readonly MbrPartition[], imageEndBytes: number): KeptPartition[] {
  return placesToProbe({ sizeBytes: disk.sizeBytes, partitions, imageEndBytes }).flatMap((place) => {
    const mark = decodeMark(disk.sectorAt(place));
    if (mark === undefined || place + mark.sizeBytes > disk.sizeBytes) return [];
    const sectors = mark.sizeBytes / SECTOR_BYTES;
    return [{ number: OWN_PARTITIONS + 1, startSector: place / SECTOR_BYTES, sectors }];
  });
}

/** The ISO's first sector with what stays behind it in the table. */
export function stickSector(isoSector: Uint8Array, kept: readonly KeptPartition[]): Uint8Array {
  return kept.reduce<Uint8Array>((sector, partition) => withPartition(sector, partition), Uint8Array.from(isoSector));
}
