import { struct, u16le, u32le, u64leBig } from '../codec/struct.ts';
import type { SquashfsLibrary } from './library.ts';

/** struct sqfs_xattr_id_t. Source of all three: sqfs/xattr.h. */
const ATTRIBUTE_SET = struct('sqfs_xattr_id_t', [
  ['place', u64leBig],
  ['count', u32le],
  ['size', u32le],
]);
/** struct sqfs_xattr_entry_t; the name follows, the prefix that its type stands for put before it, and a NUL. */
const ATTRIBUTE_KEY = struct('sqfs_xattr_entry_t', [
  ['type', u16le],
  ['size', u16le],
]);
const PREFIX_SIZES: Readonly<Record<number, number>> = {
  0: 'user.'.length,
  1: 'trusted.'.length,
  2: 'security.'.length,
};
const PREFIX_MASK = 0xff;
/** What Linux takes: names of one inode together (XATTR_LIST_MAX), and bytes of a value (XATTR_SIZE_MAX). */
const MAX_NAMES = 65536;
const MAX_VALUE = 65536;

/** The table of extended attributes of an image. */
export class AttributeReader {
  readonly #library: SquashfsLibrary;
  readonly #reader: bigint;

  /** @param reader a sqfs_xattr_reader_t whose tables are loaded */
  constructor(library: SquashfsLibrary, reader: bigint) {
    this.#library = library;
    this.#reader = reader;
  }

  /**
   * The attributes under a number that an inode has.
   * @throws Error when the tables are corrupt or hold more than Linux takes
   */
  read(index: number): ReadonlyMap<string, Buffer> {
    const { f } = this.#library;
    const set = Buffer.alloc(ATTRIBUTE_SET.size);
    this.#library.check('table', f.sqfs_xattr_reader_get_desc(this.#reader, index, set));
    const { count } = ATTRIBUTE_SET.read(set, 0)[0];
    const attributes = new Map<string, Buffer>();
    if (count === 0) return attributes;
    this.#library.check('table', f.sqfs_xattr_reader_seek_kv(this.#reader, set));
    let names = 0;
    for (let i = 0; i < count; i++) {
      const [name, value] = this.#next();
      names += name.length + 1;
      if (names > MAX_NAMES) throw new Error(`${count} attributes are more than Linux takes`);
      attributes.set(name, value);
    }
    return attributes;
  }

  #next(): [name: string, value: Buffer] {
    const { f, ffi } = this.#library;
    const key = this.#library.out('name', (out) => f.sqfs_xattr_reader_read_key(this.#reader, out));
    try {
      const { type, size } = ATTRIBUTE_KEY.read(ffi.toBuffer(key, ATTRIBUTE_KEY.size, false), 0)[0];
      const length = (PREFIX_SIZES[type & PREFIX_MASK] ?? 0) + size;
      const name = ffi.toBuffer(key + BigInt(ATTRIBUTE_KEY.size), length, false).toString('latin1');
      return [name, this.#value(key)];
    } finally {
      f.sqfs_free(key);
    }
  }

  #value(key: bigint): Buffer {
    const { f, ffi } = this.#library;
    const pointer = this.#library.out('value', (out) => f.sqfs_xattr_reader_read_value(this.#reader, key, out));
    try {
      const size = ffi.getUint32(pointer, 0);
      if (size > MAX_VALUE) throw new Error(`a value of ${size} bytes is more than Linux takes`);
      return ffi.toBuffer(pointer + 4n, size);
    } finally {
      f.sqfs_free(pointer);
    }
  }
}
