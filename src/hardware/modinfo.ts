/**
 * What a module says of itself: NUL-ended `key=value` in the section .modinfo of its ELF file (include/linux/moduleinfo.h).
 */

/** Elf64_Shdr and Elf32_Shdr: how long, and where offset and size stand. */
const LAYOUT = {
  1: { table: 32, count: 48, names: 50, row: 40, offset: 16, size: 20, wide: false },
  2: { table: 40, count: 60, names: 62, row: 64, offset: 24, size: 32, wide: true },
} as const;

function sectionOf(elf: Buffer, wanted: string): Buffer | undefined {
  const layout = elf[4] === 1 ? LAYOUT[1] : elf[4] === 2 ? LAYOUT[2] : undefined;
  if (elf.length < 64 || elf.toString('latin1', 0, 4) !== '\x7fELF' || layout === undefined || elf[5] !== 1)
    return undefined;
  const word = (at: number): number => {
    const value = layout.wide && at + 8 <= elf.length ? Number(elf.readBigUInt64LE(at)) : undefined;
    return value ?? (at + 4 <= elf.length ? elf.readUInt32LE(at) : elf.length);
  };
  const table = word(layout.table);
  const section = (index: number): Buffer => {
    const row = table + index * layout.row;
    if (row + layout.row > elf.length) return Buffer.alloc(0);
    const start = word(row + layout.offset);
    return elf.subarray(start, start + word(row + layout.size));
  };
  const count = elf.readUInt16LE(layout.count);
  const names = section(elf.readUInt16LE(layout.names));
  for (let index = 0; index < count; index++) {
    const row = table + index * layout.row;
    if (row + layout.row > elf.length) return undefined;
    const start = elf.readUInt32LE(row);
    const name = names.subarray(start, start + wanted.length + 1);
    if (name.toString('latin1') === `${wanted}\0`) return section(index);
  }
  return undefined;
}

/**
 * The values of one key, in their order; none for what is no module.
 * @param elf the module's own bytes, uncompressed
 */
export function modinfoValues(elf: Uint8Array, key: string): string[] {
  const section = sectionOf(Buffer.from(elf.buffer, elf.byteOffset, elf.byteLength), '.modinfo');
  return (section?.toString('latin1') ?? '')
    .split('\0')
    .filter((entry) => entry.startsWith(`${key}=`))
    .map((entry) => entry.slice(key.length + 1));
}
