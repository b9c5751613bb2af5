/**
 * Rows of a table in a file of SQLite (https://www.sqlite.org/fileformat2.html). Pure.
 *
 * SQLite itself reads these better, but a forged file can make one call of it last for ever, which nothing can interrupt:
 * here no page is read twice.
 */

/** Bytes of a file, read as they are asked for. */
export interface FileBytes {
  readonly size: number;
  /** Exactly so many bytes. @throws Error when the file ends before */
  read(offset: number, length: number): Buffer;
}

/** A column's value, of those kinds that are asked for here. */
export type SqliteValue = number | string | Buffer | undefined;

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
/** Chapter 1.6: kinds of b-tree pages. */
const INTERIOR_TABLE = 5;
const LEAF_TABLE = 13;
/** SQLite's own trees have fewer than 20 levels. */
const DEPTH_LIMIT = 20;
const COLUMNS_LIMIT = 100;

interface Pages {
  readonly file: FileBytes;
  readonly pageBytes: number;
  /** Without what is reserved at the end of each. */
  readonly usable: number;
  readonly seen: Set<number>;
}

/**
 * Each row of the table, its columns in order. An integer primary key is undefined: it is the row's number.
 * @param rowBytes rows of more are given as undefined
 * @throws Error when it is no such file, has no such table, or is damaged
 */
export function* sqliteRows(
  file: FileBytes,
  table: string,
  rowBytes: number,
): Generator<readonly SqliteValue[] | undefined, void, void> {
  const pages = openPages(file);
  let root: SqliteValue;
  for (const row of tableRows(pages, 1, rowBytes)) {
    if (row?.[0] === 'table' && row[1] === table) root = row[3];
  }
  if (typeof root !== 'number') throw new Error(`no table ${table} is in it`);
  yield* tableRows(pages, root, rowBytes);
}

function openPages(file: FileBytes): Pages {
  if (file.size < HEADER_BYTES) throw new Error('no SQLite file');
  const header = file.read(0, HEADER_BYTES);
  const said = header.readUInt16BE(16);
  const pageBytes = said === 1 ? 65536 : said;
  if (header.toString('latin1', 0, 16) !== MAGIC || pageBytes < 512 || (pageBytes & (pageBytes - 1)) !== 0)
    throw new Error('no SQLite file');
  const usable = pageBytes - header.readUInt8(20);
  if (usable < 480) throw new Error('no SQLite file');
  if (header.readUInt32BE(56) > 1) throw new Error('its text is in UTF-16');
  return { file, pageBytes, usable, seen: new Set() };
}

function claimed({ seen }: Pages, number: number): number {
  if (seen.has(number)) throw new Error(`page ${number} is there twice`);
  seen.add(number);
  return number;
}

/** @param number of a page that is claimed */
function pageOf({ file, pageBytes }: Pages, number: number): Buffer {
  const offset = (number - 1) * pageBytes;
  if (number < 1 || offset + pageBytes > file.size) throw new Error(`page ${number} is not there`);
  return file.read(offset, pageBytes);
}

function* tableRows(
  pages: Pages,
  root: number,
  rowBytes: number,
): Generator<readonly SqliteValue[] | undefined, void, void> {
  // Of the pages that are still to be read; the next one is last.
  const waiting = [{ number: claimed(pages, root), depth: 1 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { number, depth } = next;
    if (depth > DEPTH_LIMIT) throw new Error('it is too deep');
    const page = pageOf(pages, number);
    const start = number === 1 ? HEADER_BYTES : 0;
    const kind = page.readUInt8(start);
    const cells = page.readUInt16BE(start + 3);
    if (kind === LEAF_TABLE) {
      for (let i = 0; i < cells; i++) yield rowAt(pages, page, page.readUInt16BE(start + 8 + 2 * i), rowBytes);
    } else if (kind === INTERIOR_TABLE) {
      waiting.push({ number: claimed(pages, page.readUInt32BE(start + 8)), depth: depth + 1 });
      for (let i = cells - 1; i >= 0; i--) {
        const at = page.readUInt16BE(start + 12 + 2 * i);
        waiting.push({ number: claimed(pages, page.readUInt32BE(at)), depth: depth + 1 });
      }
    } else throw new Error(`page ${number} is of no table`);
  }
}

function rowAt(pages: Pages, page: Buffer, cell: number, rowBytes: number): readonly SqliteValue[] | undefined {
  const [size, afterSize] = varint(page, cell);
  const [, start] = varint(page, afterSize);
  if (size > rowBytes || size > pages.file.size) return undefined;
  const { usable } = pages;
  const most = usable - 35;
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const kept = least + ((size - least) % (usable - 4));
  const local = size <= most ? size : kept <= most ? kept : least;
  if (start + local > page.length) throw new Error('a row leaves its page');
  const parts = [page.subarray(start, start + local)];
  let next = size > local ? page.readUInt32BE(start + local) : 0;
  for (let left = size - local; left > 0; ) {
    const more = pageOf(pages, claimed(pages, next));
    const part = more.subarray(4, 4 + Math.min(left, usable - 4));
    parts.push(part);
    left -= part.length;
    next = more.readUInt32BE(0);
  }
  return recordOf(Buffer.concat(parts));
}

/** Chapter 2.1: lengths and kinds of the columns, then their bytes. */
function recordOf(record: Buffer): readonly SqliteValue[] {
  const [headerEnd, first] = varint(record, 0);
  const values: SqliteValue[] = [];
  let body = headerEnd;
  for (let at = first; at < headerEnd && values.length < COLUMNS_LIMIT; ) {
    const [type, next] = varint(record, at);
    at = next;
    const length = type >= 12 ? Math.floor((type - 12) / 2) : (FIXED[type] ?? 0);
    if (body + length > record.length) throw new Error('a column leaves its row');
    values.push(columnOf(type, record.subarray(body, body + length)));
    body += length;
  }
  return values;
}

/** Bytes of the kinds below 12. */
const FIXED = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

function columnOf(type: number, bytes: Buffer): SqliteValue {
  if (type >= 12) return type % 2 === 0 ? bytes : bytes.toString();
  if (type === 8 || type === 9) return type - 8;
  // Of eight bytes, and floats: nobody here wants one.
  return bytes.length > 0 && bytes.length <= 6 ? bytes.readIntBE(0, bytes.length) : undefined;
}

/** Big-endian, seven bits a byte; of nine bytes, which no size here has, an Error. */
function varint(bytes: Buffer, start: number): readonly [value: number, next: number] {
  let value = 0;
  for (let at = start; at < start + 8; at++) {
    const byte = bytes.readUInt8(at);
    value = value * 128 + (byte & 127);
    if (byte < 128) return [value, at + 1];
  }
  throw new Error('a number is too long');
}
