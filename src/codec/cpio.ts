/**
 * The cpio archive that the kernel unpacks as its first root, in the format "newc" (Linux
 * Documentation/driver-api/early-userspace/buffer-format.rst): numbers of eight hexadecimal digits, names and contents
 * padded to a multiple of four bytes.
 */

export interface CpioEntry {
  /** Without a leading slash. */
  readonly name: string;
  /** With the type bits: 0o100755 a program, 0o040755 a directory, 0o120777 a link, 0o020600 a character device. */
  readonly mode: number;
  /** Since 1970. */
  readonly mtimeSeconds: number;
  /** A file's contents, a link's target. */
  readonly data?: Uint8Array;
  /** Of a device node. */
  readonly device?: { readonly major: number; readonly minor: number };
}

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
const DIRECTORY = 0o040000;
const TYPE_BITS = 0o170000;
/** cpio(1) writes whole blocks of this size; the kernel passes over zeroes between archives. */
const BLOCK_BYTES = 512;
const MOST = 2 ** 32;

const padding = (length: number, unit: number): Buffer => Buffer.alloc((unit - (length % unit)) % unit);

function header(entry: CpioEntry, inode: number): Buffer {
  const name = Buffer.from(`${entry.name}\0`);
  const { major = 0, minor = 0 } = entry.device ?? {};
  const links = (entry.mode & TYPE_BITS) === DIRECTORY ? 2 : 1;
  const size = entry.data?.length ?? 0;
  const owner = [0, 0];
  const fields = [inode, entry.mode, ...owner, links, entry.mtimeSeconds, size, 0, 0, major, minor, name.length, 0];
  if (fields.some((field) => !Number.isInteger(field) || field < 0 || field >= MOST)) {
    throw new RangeError(`cpio: ${entry.name}: a number of it does not fit 32 bits`);
  }
  const text = fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('');
  const bytes = Buffer.concat([Buffer.from(MAGIC + text), name]);
  return Buffer.concat([bytes, padding(bytes.length, 4)]);
}

/**
 * The bytes of one archive, trailer and last block included; all of it belongs to root. Entries are asked for one by one,
 * so that the whole never lies in memory. Inodes are counted from 0: the same entries give the same bytes.
 * @throws RangeError for a file of 4 GiB or more
 */
export function* cpioArchive(entries: Iterable<CpioEntry>): Generator<Uint8Array> {
  let inode = 0;
  let written = 0;
  const counted = (bytes: Uint8Array): Uint8Array => {
    written += bytes.length;
    return bytes;
  };
  for (const entry of entries) {
    yield counted(header(entry, inode++));
    const { data } = entry;
    if (data === undefined || data.length === 0) continue;
    yield counted(data);
    if (data.length % 4 !== 0) yield counted(padding(data.length, 4));
  }
  yield counted(header({ name: TRAILER, mode: 0, mtimeSeconds: 0 }, 0));
  yield padding(written, BLOCK_BYTES);
}
