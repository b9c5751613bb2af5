/**
 * ICU's data package as it lies in an executable (`icudtNN_dat`; source: ICU's ucmndata.h and icupkg): a header, a table
 * of names and offsets sorted by name, then the items one after another. Offsets count from the table.
 */
export interface IcuItem {
  /** `icudt78l/coll/de.res`. */
  readonly name: string;
  readonly data: Uint8Array;
}

/** What every item begins at a multiple of, as icupkg lays them out. */
const ALIGNMENT = 16;
const MAGIC = 0x27da;
/** Bytes of a row of the table. */
const ROW = 8;
/** A package of Node's full ICU has 4,300. */
const MAX_ITEMS = 100_000;

const padded = (length: number) => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

function headerBytes(data: Buffer): number {
  if (data.length < 32 || data.readUInt16LE(2) !== MAGIC || data.toString('latin1', 12, 16) !== 'CmnD')
    throw new Error('no ICU data package of this byte order');
  return data.readUInt16LE(0);
}

/** @throws Error for what is no package, or one whose table leads outside of it */
export function readIcuPackage(data: Buffer): IcuItem[] {
  const table = data.subarray(headerBytes(data));
  const count = table.length < 4 ? 0 : table.readUInt32LE(0);
  if (count === 0 || count > MAX_ITEMS || 4 + count * ROW > table.length) throw new Error('ICU data: no such table');
  const rows = Array.from({ length: count }, (_, row) => ({
    name: table.readUInt32LE(4 + row * ROW),
    start: table.readUInt32LE(8 + row * ROW),
  }));
  return rows.map(({ name, start }, row) => {
    const end = rows[row + 1]?.start ?? table.length;
    const nameEnd = table.indexOf(0, name);
    if (nameEnd < 0 || start > end || end > table.length) throw new Error(`ICU data: item ${row} lies outside`);
    return { name: table.toString('latin1', name, nameEnd), data: table.subarray(start, end) };
  });
}

/** A package with the header of `original` and these items, which stay in their order. */
export function writeIcuPackage(original: Buffer, items: readonly IcuItem[]): Buffer {
  const header = original.subarray(0, headerBytes(original));
  const names = items.map(({ name }) => Buffer.from(`${name}\0`, 'latin1'));
  const rows = Buffer.alloc(4 + items.length * ROW);
  rows.writeUInt32LE(items.length, 0);
  let nameAt = rows.length;
  let dataAt = padded(header.length + rows.length + names.reduce((sum, name) => sum + name.length, 0)) - header.length;
  const tableEnd = dataAt;
  for (const [row, { data }] of items.entries()) {
    rows.writeUInt32LE(nameAt, 4 + row * ROW);
    rows.writeUInt32LE(dataAt, 8 + row * ROW);
    nameAt += names[row]?.length ?? 0;
    dataAt += padded(data.length);
  }
  const package_ = Buffer.alloc(header.length + dataAt);
  Buffer.concat([header, rows, ...names]).copy(package_);
  let at = header.length + tableEnd;
  for (const { data } of items) {
    package_.set(data, at);
    at += padded(data.length);
  }
  return package_;
}

/** Converters of old character sets, spoken-out numbers, transliteration, word lists: nothing here asks for them. */
const UNUSED = /\.(cnv|dict|spp)$|\/(rbnf|translit)\/|lstm|unames\.icu$|cnvalias\.icu$|confusables\.cfu$/;
/** Names of locales: `de`, `zh_Hant_TW`; what the root, English and all of them share has other names. */
const LOCALE = /^(?!en(_US|_001|_US_POSIX)?$)[a-z]{2,3}(_[A-Za-z0-9]+)*$/;
/** What has the shape of a locale's name and is none. */
const SHARED = new Set(['res_index']);

/** Whether the executable needs an item: what serves any language, and English. As Node's own `small-icu`. */
export function isNeededItem(name: string): boolean {
  if (UNUSED.test(name)) return false;
  const base = name.slice(name.lastIndexOf('/') + 1);
  const locale = /^(.*)\.res$/.exec(base)?.[1];
  return locale === undefined || SHARED.has(locale) || !LOCALE.test(locale);
}
