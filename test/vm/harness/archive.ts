/** One file of a newc cpio archive (Linux Documentation/driver-api/early-userspace/buffer-format.rst). */
export interface ArchiveEntry {
  readonly path: string;
  /** With the type bits: 0o100755 a program, 0o040755 a directory, 0o120777 a link whose data is its target. */
  readonly mode: number;
  readonly data?: Uint8Array;
}

const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

/** A newc archive, as small test initrds need it. */
export function newcArchive(entries: readonly ArchiveEntry[]): Buffer {
  const parts: Buffer[] = [];
  const all = [...entries, { path: 'TRAILER!!!', mode: 0 }];
  for (const [index, { path, mode, data = new Uint8Array() }] of all.entries()) {
    const name = Buffer.from(`${path}\0`);
    const fields = [index + 1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    parts.push(padded(Buffer.concat([Buffer.from(header), name])), padded(data));
  }
  return Buffer.concat(parts);
}
