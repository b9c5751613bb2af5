/** Lists of packages as rpm writes them, by SQLite itself. */

/** rpm's lib/backend/sqlite.c */
export const RPM_TABLE = "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)";

/** A file of tables, with a row of the last one for each blob. */
export function sqliteFile(
  path: string,
  tables: readonly string[],
  rows: readonly Uint8Array[],
  pageBytes = 4096,
): void {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  using database = new DatabaseSync(path);
  database.exec(`PRAGMA page_size=${pageBytes}; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF`);
  for (const table of tables) database.exec(table);
  const insert = database.prepare('INSERT INTO Packages (blob) VALUES (?)');
  database.exec('BEGIN');
  for (const row of rows) insert.run(row);
  database.exec('COMMIT');
}

interface Fields {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly epoch?: number;
  readonly arch: string;
  readonly license: string;
  readonly sourceRpm?: string;
}

/** docs/manual/format_header.md of rpm: entries of tag, kind, offset and count, then the data. */
export function rpmHeader({ name, version, release, epoch, arch, license, sourceRpm }: Fields): Buffer {
  const strings: readonly [tag: number, value: string | undefined][] = [
    [1000, name],
    [1001, version],
    [1002, release],
    [1004, 'a summary'],
    [1014, license],
    [1022, arch],
    [1044, sourceRpm],
  ];
  const entries: Buffer[] = [];
  const data: Buffer[] = [];
  let end = 0;
  const add = (tag: number, kind: number, bytes: Buffer): void => {
    const entry = Buffer.alloc(16);
    for (const [i, value] of [tag, kind, end, 1].entries()) entry.writeUInt32BE(value, i * 4);
    entries.push(entry);
    data.push(bytes);
    end += bytes.length;
  };
  const number = Buffer.alloc(4);
  number.writeUInt32BE(epoch ?? 0);
  if (epoch !== undefined) add(1003, 4, number);
  for (const [tag, value] of strings)
    if (value !== undefined) add(tag, tag === 1004 ? 9 : 6, Buffer.from(`${value}\0`));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(entries.length);
  head.writeUInt32BE(end, 4);
  return Buffer.concat([head, ...entries, ...data]);
}
