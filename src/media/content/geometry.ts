import type { Span } from './probe.ts';

/** What a signature's place and meaning depend on. */
export interface Geometry {
  readonly sizeBytes: number;
  /** Logical block size: 512, 2048 on a CD, 4096. */
  readonly sectorBytes: number;
  /** A CD drive: nobody makes a RAID of discs, and the last blocks of a disc are often not readable. */
  readonly isCd: boolean;
  /** On an ATA controller, which may be one that makes RAIDs. */
  readonly isAta: boolean;
  /** Partitions of this whole disk; undefined for a partition. */
  readonly partitions?: readonly Span[];
}

/** A floppy, as libblkid sees it: nobody makes a RAID of these. */
const TINY_BYTES = 1440 * 1024;

/** Whether the device may belong to a RAID. */
export const mayBeMember = ({ isCd, sizeBytes }: Geometry): boolean => !isCd && sizeBytes > TINY_BYTES;
