/**
 * The PARTUUID of partitions, from the partition table: GPT (UEFI specification, section 5.3) or MBR. Written as the
 * kernel writes it in `root=PARTUUID=` (block/partitions/efi.c, msdos.c).
 */

/** Bytes from the start of a disk that hold either table for any sector size: header and 128 entries of 128 bytes. */
export const PARTITION_TABLE_BYTES = 4096 * 2 + 128 * 128;

const GPT_SIGNATURE = 'EFI PART';
const ENTRY_BYTES = { least: 128, most: 4096 };

function has(bytes: Uint8Array, offset: number, text: string): boolean {
  return (
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', offset, offset + text.length) === text
  );
}

/** A GUID: the first three fields are little-endian. */
function guid(bytes: Uint8Array, offset: number): string {
  const hex = (order: readonly number[]) =>
    order.map((i) => (bytes[offset + i] ?? 0).toString(16).padStart(2, '0')).join('');
  return [hex([3, 2, 1, 0]), hex([5, 4]), hex([7, 6]), hex([8, 9]), hex([10, 11, 12, 13, 14, 15])].join('-');
}

/**
 * @param start the disk's first PARTITION_TABLE_BYTES bytes; fewer are fine and may show less
 * @param number of the partition, from 1
 * @returns lower-case PARTUUID, or undefined when the disk has no table or the partition no entry within the bytes
 */
export function decodePartitionId(start: Uint8Array, number: number): string | undefined {
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  for (const sector of [512, 4096]) {
    if (start.length < sector + 92 || !has(start, sector, GPT_SIGNATURE)) continue;
    const table = view.getBigUint64(sector + 72, true) * BigInt(sector);
    const count = view.getUint32(sector + 80, true);
    const size = view.getUint32(sector + 84, true);
    if (number < 1 || number > count || size < ENTRY_BYTES.least || size > ENTRY_BYTES.most) return undefined;
    const entry = table + BigInt((number - 1) * size);
    if (entry + BigInt(size) > BigInt(start.length)) return undefined;
    const id = guid(start, Number(entry) + 16);
    return /[1-9a-f]/.test(id) ? id : undefined;
  }
  if (start.length < 512 || view.getUint16(510, true) !== 0xaa55 || number < 1) return undefined;
  const signature = view.getUint32(0x1b8, true);
  if (signature === 0) return undefined;
  return `${signature.toString(16).padStart(8, '0')}-${number.toString(16).padStart(2, '0')}`;
}
