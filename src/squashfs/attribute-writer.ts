import { NONE } from './c-structs.ts';
import type { SquashfsLibrary } from './library.ts';
import type { LibraryFile } from './library-file.ts';

/** Name spaces that squashfs has numbers for (fs/squashfs/squashfs_fs.h, SQUASHFS_XATTR_…). */
const KEPT = /^(user|trusted|security)\../s;

/** The table of extended attributes; the same set of them is kept once. */
export class AttributeWriter {
  /** Attributes that squashfs has no room for: how many of each name. */
  readonly left = new Map<string, number>();
  readonly #library: SquashfsLibrary;
  readonly #writer: bigint;

  constructor(library: SquashfsLibrary) {
    this.#library = library;
    this.#writer = library.object('starting the table of attributes', library.f.sqfs_xattr_writer_create(0));
  }

  /** The number under which an inode finds its attributes; NONE when it has none that can be kept. */
  add(attributes: ReadonlyMap<string, Buffer> | undefined, what: () => string): number {
    if (attributes === undefined || attributes.size === 0) return NONE;
    const { f } = this.#library;
    const name = () => `attributes of ${what()}`;
    this.#library.check(name, f.sqfs_xattr_writer_begin(this.#writer, 0));
    for (const [key, value] of attributes) {
      if (KEPT.test(key)) {
        const cKey = Buffer.from(`${key}\0`, 'latin1');
        this.#library.check(name, f.sqfs_xattr_writer_add(this.#writer, cKey, value, BigInt(value.length)));
      } else this.left.set(key, (this.left.get(key) ?? 0) + 1);
    }
    return this.#library.outNumber(name, (out) => f.sqfs_xattr_writer_end(this.#writer, out));
  }

  /** Writes the table behind all others. */
  write(file: LibraryFile, superblock: Uint8Array, compressor: bigint): void {
    const { sqfs_xattr_writer_flush: flush } = this.#library.f;
    file.attempt(() =>
      this.#library.check('writing attributes', flush(this.#writer, file.pointer, superblock, compressor)),
    );
  }

  close(): void {
    this.#library.destroy(this.#writer);
  }
}
