/**
 * Takes a range of bytes out of an ELF executable: nothing that runs may read it afterwards. The segment that holds it
 * becomes two, and what lies behind keeps its address and moves up in the file. Source: elf(5).
 */

const PT_NULL = 0;
const PT_LOAD = 1;
const PT_GNU_EH_FRAME = 0x6474e550;
const PAGE = 4096;
/** Sizes of Elf64_Phdr, Elf64_Shdr, Elf64_Sym. */
const PHDR = 56;
const SHDR = 64;
const SYM = 24;
const SHT_DYNSYM = 11;

interface Table {
  readonly at: number;
  readonly count: number;
}

const num = (bytes: Buffer, at: number) => Number(bytes.readBigUInt64LE(at));
const put = (bytes: Buffer, at: number, value: number) => bytes.writeBigUInt64LE(BigInt(value), at);

function open(elf: Buffer): { readonly segments: Table; readonly sections: Table } {
  if (elf.length < 64 || elf.toString('latin1', 0, 4) !== '\x7fELF' || elf[4] !== 2 || elf[5] !== 1)
    throw new Error('not a 64-bit little-endian ELF file');
  const segments = { at: num(elf, 32), count: elf.readUInt16LE(56) };
  const sections = { at: num(elf, 40), count: elf.readUInt16LE(60) };
  if (segments.at + segments.count * PHDR > elf.length || sections.at + sections.count * SHDR > elf.length)
    throw new Error('ELF: a header table lies outside of the file');
  return { segments, sections };
}

const rows = ({ at, count }: Table, size: number) => Array.from({ length: count }, (_, row) => at + row * size);

/** Where in the file a symbol's bytes lie that the executable exports; undefined: it exports none of that name. */
export function exportedObject(
  elf: Buffer,
  name: RegExp,
): { readonly offset: number; readonly length: number } | undefined {
  const { segments, sections } = open(elf);
  for (const section of rows(sections, SHDR)) {
    if (elf.readUInt32LE(section + 4) !== SHT_DYNSYM) continue;
    const strings = num(elf, sections.at + elf.readUInt32LE(section + 40) * SHDR + 24);
    const symbols = { at: num(elf, section + 24), count: Math.floor(num(elf, section + 32) / SYM) };
    for (const symbol of rows(symbols, SYM)) {
      const start = strings + elf.readUInt32LE(symbol);
      if (!name.test(elf.toString('latin1', start, elf.indexOf(0, start)))) continue;
      const address = num(elf, symbol + 8);
      const holder = rows(segments, PHDR).find((segment) => {
        const from = num(elf, segment + 16);
        return elf.readUInt32LE(segment) === PT_LOAD && address >= from && address < from + num(elf, segment + 32);
      });
      if (holder === undefined) return undefined;
      return { offset: num(elf, holder + 8) + address - num(elf, holder + 16), length: num(elf, symbol + 16) };
    }
  }
  return undefined;
}

/** Where in the file a section lies (`.eh_frame`); undefined: there is none of that name. */
export function sectionNamed(
  elf: Buffer,
  name: string,
): { readonly offset: number; readonly length: number } | undefined {
  const { sections } = open(elf);
  const names = num(elf, sections.at + elf.readUInt16LE(62) * SHDR + 24);
  for (const section of rows(sections, SHDR)) {
    const start = names + elf.readUInt32LE(section);
    if (elf.toString('latin1', start, elf.indexOf(0, start)) !== name) continue;
    return { offset: num(elf, section + 24), length: num(elf, section + 32) };
  }
  return undefined;
}

/** The program is to find no tables for unwinding any more. */
export function forgetUnwinding(elf: Buffer): void {
  for (const segment of rows(open(elf).segments, PHDR))
    if (elf.readUInt32LE(segment) === PT_GNU_EH_FRAME) elf.writeUInt32LE(PT_NULL, segment);
}

/**
 * @param cut bytes of the file, within one segment; whole pages of it are taken out
 * @throws Error when the segment table has no room for one more
 */
export function cutElf(elf: Buffer, cut: { readonly start: number; readonly end: number }): Buffer {
  const start = Math.ceil(cut.start / PAGE) * PAGE;
  const end = Math.floor(cut.end / PAGE) * PAGE;
  const length = end - start;
  if (length <= 0) return elf;
  const { segments, sections } = open(elf);
  const loads = rows(segments, PHDR).filter((segment) => elf.readUInt32LE(segment) === PT_LOAD);
  const fileOf = (segment: number) => ({ from: num(elf, segment + 8), bytes: num(elf, segment + 32) });
  const holder = loads.find((segment) => {
    const { from, bytes } = fileOf(segment);
    return from < start && end < from + bytes;
  });
  if (holder === undefined) throw new Error('ELF: what is to be cut lies in no segment');
  // Who put the table there (postject, LIEF) left room behind it in a segment of its own.
  const room = loads.map(fileOf).find(({ from }) => from === segments.at)?.bytes ?? 0;
  if (room < (segments.count + 1) * PHDR) throw new Error('ELF: no room for one more segment');

  const { from, bytes } = fileOf(holder);
  const [address, physical] = [num(elf, holder + 16), num(elf, holder + 24)];
  const table = Buffer.from(elf.subarray(segments.at, segments.at + segments.count * PHDR));
  const moved = (offset: number) => (offset >= end ? offset - length : offset);
  for (const segment of rows({ at: 0, count: segments.count }, PHDR))
    put(table, segment + 8, moved(num(table, segment + 8)));
  const first = Buffer.from(table.subarray(holder - segments.at, holder - segments.at + PHDR));
  const second = Buffer.from(first);
  for (const field of [32, 40]) put(first, field, start - from);
  put(second, 8, start);
  put(second, 16, address + end - from);
  put(second, 24, physical + end - from);
  for (const field of [32, 40]) put(second, field, from + bytes - end);
  // In the order of their addresses, as loaders want them.
  const parts = [table.subarray(0, holder - segments.at), first, second, table.subarray(holder - segments.at + PHDR)];

  const result = Buffer.concat([elf.subarray(0, start), elf.subarray(end)]);
  put(result, 32, moved(segments.at));
  put(result, 40, moved(sections.at));
  result.writeUInt16LE(segments.count + 1, 56);
  Buffer.concat(parts).copy(result, moved(segments.at));
  for (const section of rows({ at: moved(sections.at), count: sections.count }, SHDR)) {
    const at = num(result, section + 24);
    const sectionEnd = at + num(result, section + 32);
    // A section that loses its end, or all: it ends where the cut began; what is left behind that has no section.
    if (at < start && sectionEnd > start) put(result, section + 32, start - at);
    if (at < start || at >= end) {
      put(result, section + 24, moved(at));
      continue;
    }
    // One that loses its beginning.
    put(result, section + 16, num(result, section + 16) + end - at);
    put(result, section + 24, start);
    put(result, section + 32, Math.max(0, sectionEnd - end));
  }
  return result;
}
