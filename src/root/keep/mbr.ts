/**
 * The partition table of an MBR: four entries at the end of a disk's first sector (UEFI specification, section 5.2). The
 * ISO has this table and no GPT, so a partition more is one sector written: it is there or it is not, whenever the power
 * goes.
 */

/** Entries count in these, whatever the disk's own sectors are; only disks of such sectors are given a partition. */
export const SECTOR_BYTES = 512;
const ENTRIES_AT = 446;
const ENTRY_BYTES = 16;
const ENTRIES = 4;
const SIGNATURE_AT = 510;
const LINUX = 0x83;
/** Of a table that only says that there is a GPT. */
const PROTECTIVE = 0xee;
const EXTENDED: readonly number[] = [0x05, 0x0f, 0x85];
/** Cylinder, head and sector of what lies beyond them, as every partition tool writes it. */
const NO_CHS = [0xfe, 0xff, 0xff];
/** Sectors are counted in 32 bits. */
const MOST_SECTORS = 2 ** 32;

export interface MbrPartition {
  /** As the kernel counts them, 1 to 4. */
  readonly number: number;
  readonly type: number;
  readonly startSector: number;
  readonly sectors: number;
}

/**
 * @param sector a disk's first 512 bytes
 * @returns the partitions in use; undefined when it holds no table, or one that is only there beside a GPT
 */
export function decodeMbr(sector: Uint8Array): readonly MbrPartition[] | undefined {
  if (sector.length < SECTOR_BYTES) return undefined;
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_BYTES);
  if (view.getUint16(SIGNATURE_AT, true) !== 0xaa55) return undefined;
  const partitions: MbrPartition[] = [];
  for (let index = 0; index < ENTRIES; index++) {
    const at = ENTRIES_AT + index * ENTRY_BYTES;
    const type = view.getUint8(at + 4);
    const startSector = view.getUint32(at + 8, true);
    const sectors = view.getUint32(at + 12, true);
    // The kernel's own rule for an entry in use (block/partitions/msdos.c) is its size.
    if (sectors !== 0) partitions.push({ number: index + 1, type, startSector, sectors });
  }
  const isOther = partitions.some(({ type }) => type === PROTECTIVE || EXTENDED.includes(type));
  return partitions.length === 0 || isOther ? undefined : partitions;
}

/** The number that a new partition gets; undefined when all four are taken. */
export function freeNumber(partitions: readonly MbrPartition[]): number | undefined {
  return [1, 2, 3, 4].find((number) => partitions.every((each) => each.number !== number));
}

/**
 * The sector with one partition more, all else as it was.
 * @throws Error when the place is taken, overlaps another partition or cannot be written in 32 bits
 */
export function withPartition(sector: Uint8Array, partition: Omit<MbrPartition, 'type'>): Uint8Array {
  const { number, startSector, sectors } = partition;
  const present = decodeMbr(sector);
  if (present === undefined) throw new Error('partition table: none that can be added to');
  if (present.some((each) => each.number === number)) throw new Error(`partition table: ${number} is taken`);
  const end = startSector + sectors;
  if (startSector < 1 || sectors < 1 || startSector >= MOST_SECTORS || sectors >= MOST_SECTORS)
    throw new Error(`partition table: sectors ${startSector} to ${end} cannot be written in it`);
  const overlapped = present.find((each) => each.startSector < end && startSector < each.startSector + each.sectors);
  if (overlapped !== undefined) throw new Error(`partition table: it would overlap partition ${overlapped.number}`);
  const changed = Uint8Array.from(sector);
  const at = ENTRIES_AT + (number - 1) * ENTRY_BYTES;
  changed.set([0, ...NO_CHS, LINUX, ...NO_CHS], at);
  const view = new DataView(changed.buffer);
  view.setUint32(at + 8, startSector, true);
  view.setUint32(at + 12, sectors, true);
  return changed;
}

/** The sector with that entry empty, all else as it was. */
export function withoutPartition(sector: Uint8Array, number: number): Uint8Array {
  const changed = Uint8Array.from(sector);
  const at = ENTRIES_AT + (number - 1) * ENTRY_BYTES;
  changed.fill(0, at, at + ENTRY_BYTES);
  return changed;
}
