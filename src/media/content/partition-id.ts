/**
 * The PARTUUID of partitions as `root=PARTUUID=` and blkid have it, from the partition table: GPT (UEFI specification,
 * section 5.3) or MBR; which of both holds is decided as the kernel does (block/partitions/efi.c, msdos.c).
 */
import { crc32 } from './checksum.ts';
import type { Geometry } from './geometry.ts';
import { Head } from './head.ts';
import type { Probe } from './probe.ts';

const MBR_BYTES = 512;
const MBR = { diskId: 0x1b8, entries: 0x1be, entryBytes: 16, count: 4, signature: 510 };
const PROTECTIVE_TYPE = 0xee;
const HEADER = { bytes: 92, mostBytes: 4096 };
/** 128 bytes in all tables there are; the specification allows more. */
const ENTRY_BYTES = { least: 128, most: 4096 };
const MOST_TABLE_BYTES = 4 << 20;

/** A GUID: the first three fields are little-endian. */
function guid(head: Head, offset: number): string {
  const hex = (order: readonly number[]) =>
    order
      .map((i) =>
        head
          .u8(offset + i)
          .toString(16)
          .padStart(2, '0'),
      )
      .join('');
  return [hex([3, 2, 1, 0]), hex([5, 4]), hex([7, 6]), hex([8, 9]), hex([10, 11, 12, 13, 14, 15])].join('-');
}

/** Whether the MBR protects a GPT: an entry of type 0xEE that begins at the second block; others may stand beside it. */
function isProtective(mbr: Head): boolean {
  return Array.from({ length: MBR.count }, (_, i) => MBR.entries + i * MBR.entryBytes).some(
    (entry) => mbr.u8(entry + 4) === PROTECTIVE_TYPE && mbr.u32(entry + 8) === 1,
  );
}

/** The entries of the GPT whose header is in block `lba`, when header and entries have their checksums. */
function* gptEntries(
  lba: number,
  sectorBytes: number,
): Probe<{ entries: Head; size: number; count: number } | undefined> {
  const block = yield { offset: lba * sectorBytes, length: Math.min(sectorBytes, HEADER.mostBytes) };
  if (block.length < HEADER.bytes) return undefined;
  const header = new Head(block, block.length);
  const headerBytes = header.u32(12);
  if (!header.has(0, 'EFI PART') || headerBytes < HEADER.bytes || headerBytes > block.length) return undefined;
  const summed = Uint8Array.from(header.bytes(0, headerBytes));
  summed.fill(0, 16, 20);
  if (crc32(summed) !== header.u32(16) || header.u64(24) !== BigInt(lba)) return undefined;
  const [count, size] = [header.u32(80), header.u32(84)];
  const offset = Number(header.u64(72)) * sectorBytes;
  const length = count * size;
  if (size < ENTRY_BYTES.least || size > ENTRY_BYTES.most || length === 0 || length > MOST_TABLE_BYTES)
    return undefined;
  if (!Number.isSafeInteger(offset)) return undefined;
  const bytes = yield { offset, length };
  if (bytes.length < length || crc32(bytes) !== header.u32(88)) return undefined;
  return { entries: new Head(bytes, length), size, count };
}

/**
 * @param geometry of the whole disk
 * @param number of the partition, from 1; logical ones of an MBR from 5
 * @returns lower-case PARTUUID, or undefined when the disk has no table or the partition no entry in it
 */
export function* partitionId(geometry: Geometry, number: number): Probe<string | undefined> {
  const { sizeBytes, sectorBytes } = geometry;
  const start = yield { offset: 0, length: MBR_BYTES };
  const mbr = new Head(start, MBR_BYTES);
  if (mbr.u16(MBR.signature) !== 0xaa55 || number < 1) return undefined;
  if (isProtective(mbr)) {
    const last = Math.floor(sizeBytes / sectorBytes) - 1;
    const table = (yield* gptEntries(1, sectorBytes)) ?? (last > 1 ? yield* gptEntries(last, sectorBytes) : undefined);
    if (table !== undefined) {
      if (number > table.count) return undefined;
      const entry = (number - 1) * table.size;
      const isUsed = /[1-9a-f]/.test(guid(table.entries, entry));
      return isUsed ? guid(table.entries, entry + 16) : undefined;
    }
  }
  const id = mbr.u32(MBR.diskId);
  if (id === 0) return undefined;
  return `${id.toString(16).padStart(8, '0')}-${number.toString(16).padStart(2, '0')}`;
}
