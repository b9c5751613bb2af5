/**
 * What a tree is made of, as the squashfs writer takes it and the squashfs reader gives it. A source (a directory, a
 * tar, another image) gives its entries one after another; their order is the order of the files' bytes in the image.
 */

export type EntryKind = 'directory' | 'file' | 'symlink' | 'hardlink' | 'block' | 'character' | 'fifo' | 'socket';

export interface TreeEntry {
  /**
   * Bytes as the file system has them, in any encoding: parts joined by one `/`, none before the first or after the
   * last, none of them empty, `.` or `..`, none with a NUL. The root is empty. A directory may come after what lies in
   * it, or never (then it is 0755, of root). Of two entries with one path the later one counts, as in a tar.
   */
  readonly path: Buffer;
  readonly kind: EntryKind;
  /** The twelve bits of chmod: permissions, set-user-id, set-group-id, sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970; may be negative or past 2106, which squashfs cannot keep: the writer clamps and counts. */
  readonly mtime: number;
  /** A symlink's text, or the path of the entry that a hardlink is another name of (given before the hardlink). */
  readonly target?: Buffer;
  /** Of a block or character device. */
  readonly device?: { readonly major: number; readonly minor: number };
  /**
   * Extended attributes by their whole name (`user.comment`, `security.capability`), one character for each byte of it
   * (latin1). Those that squashfs has no room for (`system.posix_acl_access`) are given as well: the writer counts them.
   */
  readonly attributes?: ReadonlyMap<string, Buffer>;
  /** Bytes of a file, as far as is known before it is opened: for progress and plans. `FileContent.size` decides. */
  readonly size?: number;
  /**
   * Of a file: opens it. The writer calls it at most once for an entry and closes what it got before it asks for the
   * next entry, so a stream can give entries as well as a tree. Sources that can be opened in any order, before and
   * after others, say so by being an array's items or in their own documentation; only these can be put in order.
   * @throws Error that names the file and the cause; the writer adds nothing to it
   */
  open?(): FileContent | Promise<FileContent>;
}

/**
 * The bytes of one opened file. All calls may answer at once instead of by a promise: with 100,000 small files a promise
 * each is what takes the time.
 */
export interface FileContent {
  /** Bytes, holes included. The writer asks for exactly so many. */
  readonly size: number;
  /**
   * Fills `into` from `offset` on and gives how many bytes it put there: fewer than asked only at the end of the file,
   * and 0 when the file has become shorter than `size`. Offsets only grow. Where `nextData` said hole, nothing is read.
   */
  read(into: Uint8Array, offset: number): number | Promise<number>;
  /**
   * The first offset at or after `offset` where data begins (lseek's SEEK_DATA), `size` when none follows, so that holes
   * are neither read nor compressed. Without it the file is taken to have no holes; zeroes become holes all the same.
   */
  nextData?(offset: number): number | Promise<number>;
  /**
   * Called once, also after a failed read. May throw: the file changed while it was read, say, which then counts as a
   * failed read.
   */
  close(): void | Promise<void>;
}
