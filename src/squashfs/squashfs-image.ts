import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { AttributeReader } from './attribute-reader.ts';
import { INODE_HEAD, INODE_SIZE, NONE, SIZE_MASK } from './c-structs.ts';
import { createCompressor, type SquashfsCompressor } from './compressor.ts';
import { directoryEntry } from './directory-entry.ts';
import type { FileContent, TreeEntry } from './entry.ts';
import { printable } from './entry-tree.ts';
import { decodeInode, type Inode } from './inode.ts';
import { openLibrary, type SquashfsLibrary } from './library.ts';
import { LibraryFile } from './library-file.ts';
import { createLzo } from './own-compressor.ts';
import { decodeSquashfs, type SquashfsSuperblock, SUPERBLOCK_SIZE } from './superblock.ts';

/** Linux' PATH_MAX less its NUL: what lies deeper nobody could name. */
const PATH_MAX = 4095;
/** The library reads at most so much at once. */
const MAX_READ = 0x7ffffffe;

/** An entry of an image, and what the image says of where its bytes lie. */
export interface ImageEntry extends TreeEntry {
  readonly inode: Inode;
}

/**
 * A squashfs image, read without mounting it. Whatever the image says is checked before it is used, and memory does not
 * grow with what it claims; what is wrong ends in an Error that names the image and the path. All answers come at once.
 */
export class SquashfsImage {
  readonly name: string;
  readonly superblock: SquashfsSuperblock;
  readonly #library: SquashfsLibrary;
  readonly #file: LibraryFile;
  readonly #superblockBytes = Buffer.alloc(SUPERBLOCK_SIZE);
  readonly #undo = new DisposableStack();
  readonly #unpacker: bigint;
  readonly #data: bigint;
  readonly #owners: bigint;
  readonly #attributes: AttributeReader;
  /** Read when it is asked for. */
  #fragments: bigint | undefined;

  /**
   * @param path a file or a block device
   * @throws Error when it is no squashfs, is cut short, or one of its tables cannot be read
   */
  constructor(path: string) {
    this.#library = openLibrary();
    this.name = path;
    try {
      const fd = this.#undo.adopt(openReadable(path), closeSync);
      const facts = fstatSync(fd);
      if (!facts.isFile() && !facts.isBlockDevice()) throw new Error(`${path} is neither a file nor a disk: no image`);
      const got = readSync(fd, this.#superblockBytes, 0, SUPERBLOCK_SIZE, 0);
      this.superblock = this.#named(() => decodeSquashfs(this.#superblockBytes.subarray(0, got)));
      const { bytesUsed, compression, blockSize } = this.superblock;
      if (facts.isFile() && facts.size < bytesUsed) {
        throw new Error(`${path} is cut short: ${facts.size} of ${bytesUsed} bytes are there`);
      }
      this.#file = this.#undo.adopt(new LibraryFile(this.#library, fd, path, bytesUsed), (file) => file.close());
      this.#unpacker = this.#createUnpacker(compression, blockSize);
      const { f } = this.#library;
      const { pointer } = this.#file;
      const bytes = this.#superblockBytes;
      this.#data = this.#own(f.sqfs_data_reader_create(pointer, BigInt(blockSize), this.#unpacker, 0));
      this.#do('the table of fragments', () => f.sqfs_data_reader_load_fragment_table(this.#data, bytes));
      this.#owners = this.#own(f.sqfs_id_table_create(0));
      this.#do('the table of owners', () => f.sqfs_id_table_read(this.#owners, pointer, bytes, this.#unpacker));
      const attributes = this.#own(f.sqfs_xattr_reader_create(0));
      this.#do('the table of attributes', () => f.sqfs_xattr_reader_load(attributes, bytes, pointer, this.#unpacker));
      this.#attributes = new AttributeReader(this.#library, attributes);
    } catch (error) {
      this.#undo.dispose();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#undo.dispose();
  }

  /**
   * What is at `path`; undefined when there is nothing. Symbolic links are not followed, neither on the way.
   * @throws Error when the image is corrupt on the way there
   */
  find(path: Buffer): ImageEntry | undefined {
    let at = this.#root();
    if (path.length === 0) return at;
    for (const part of path.toString('latin1').split('/')) {
      if (at.kind !== 'directory') return undefined;
      const name = Buffer.from(part, 'latin1');
      let found: ImageEntry | undefined;
      for (const child of this.list(at)) {
        if (!lastPart(child.path).equals(name)) continue;
        found = child;
        break;
      }
      if (found === undefined) return undefined;
      at = found;
    }
    return at;
  }

  /** What lies in a directory, in the order of names. */
  *list(directory: ImageEntry): Generator<ImageEntry, void, undefined> {
    const { f } = this.#library;
    const what = `directory ${printable(directory.path)}`;
    const readerOf = f.sqfs_dir_reader_create(this.#superblockBytes, this.#unpacker, this.#file.pointer, 0);
    const reader = this.#library.object(what, readerOf);
    try {
      this.#do(what, () => f.sqfs_dir_reader_open_dir(reader, directory.inode.raw, 0));
      let before: Buffer = Buffer.alloc(0);
      for (;;) {
        const found = this.#next(what, reader);
        if (found === undefined) return;
        // Linux finds no name that is out of order, and a name that is there twice would be two things at one place.
        if (before.compare(found.name) >= 0) throw new Error(`${this.name}: ${what} is not in order`);
        before = found.name;
        const path = joined(directory.path, found.name);
        if (path.length > PATH_MAX) throw new Error(`${this.name}: below ${printable(directory.path)} is no end`);
        yield this.#entry(path, found.inode);
      }
    } finally {
      this.#library.destroy(reader);
    }
  }

  /**
   * `from` and everything below it, each directory before what lies in it. Of an inode with several names the first one
   * met is the file, the others are hardlinks to it.
   */
  *walk(from: ImageEntry = this.#root()): Generator<ImageEntry, void, undefined> {
    const names = new Map<number, Buffer>();
    // A directory has one name: one that is met again makes a tree without an end.
    const directories = new Set<number>();
    const lists: Generator<ImageEntry>[] = [];
    try {
      for (let entry: ImageEntry | undefined = from; entry !== undefined; ) {
        const { inode, path } = entry;
        if (entry.kind === 'directory') {
          if (directories.has(inode.number)) throw new Error(`${this.name}: ${printable(path)} holds itself`);
          directories.add(inode.number);
          yield entry;
          lists.push(this.list(entry));
        } else {
          const first = inode.links > 1 ? names.get(inode.number) : undefined;
          if (first === undefined && inode.links > 1) names.set(inode.number, path);
          yield first === undefined ? entry : { ...entry, kind: 'hardlink', target: first };
        }
        entry = undefined;
        for (let list = lists.at(-1); list !== undefined; list = lists.at(-1)) {
          const next = list.next();
          if (next.done !== true) {
            entry = next.value;
            break;
          }
          lists.pop();
        }
      }
    } finally {
      for (const list of lists) list.return(undefined);
    }
  }

  /** Bytes [start, end) of the image that a file's bytes are packed in: its own blocks, and a block it shares. */
  packedSpans({ path, inode }: ImageEntry): { readonly start: number; readonly end: number }[] {
    const { file } = inode;
    if (file === undefined) return [];
    const packed = file.blocks.reduce((sum, size) => sum + (size & SIZE_MASK), 0);
    const own = packed === 0 ? [] : [{ start: file.start, end: file.start + packed }];
    return file.fragment === NONE ? own : [...own, this.#fragmentSpan(file.fragment, printable(path))];
  }

  #fragmentSpan(index: number, name: string): { readonly start: number; readonly end: number } {
    const {
      sqfs_frag_table_create: create,
      sqfs_frag_table_lookup: lookup,
      sqfs_frag_table_read: read,
    } = this.#library.f;
    if (this.#fragments === undefined) {
      const table = this.#own(create(0));
      const { pointer } = this.#file;
      this.#do('the table of fragments', () => read(table, pointer, this.#superblockBytes, this.#unpacker));
      this.#fragments = table;
    }
    const table = this.#fragments;
    // struct sqfs_fragment_t: start (u64), size (u32), padding.
    const out = Buffer.alloc(16);
    this.#do(name, () => lookup(table, index, out));
    const start = Number(out.readBigUInt64LE(0));
    return { start, end: start + (out.readUInt32LE(8) & SIZE_MASK) };
  }

  /** Of zstd, when the image says it: of any other packer, or when it is the usual one, undefined. */
  get level(): number | undefined {
    if (this.superblock.compression !== 'zstd' || !this.superblock.flags.compressorOptions) return undefined;
    const options = Buffer.alloc(6);
    // A block of metadata that is stored as it is, of one number.
    if (!this.#file.read(options, SUPERBLOCK_SIZE) || options.readUInt16LE(0) !== 0x8004) return undefined;
    return options.readUInt32LE(2);
  }

  #root(): ImageEntry {
    const { f } = this.#library;
    const created = f.sqfs_dir_reader_create(this.#superblockBytes, this.#unpacker, this.#file.pointer, 0);
    const reader = this.#library.object('the root', created);
    try {
      const inode = this.#inode('the root', (out) => f.sqfs_dir_reader_get_root_inode(reader, out));
      if (inode.kind !== 'directory') throw new Error(`${this.name}: the root is no directory`);
      return this.#entry(Buffer.alloc(0), inode);
    } finally {
      this.#library.destroy(reader);
    }
  }

  #next(what: string, reader: bigint): { name: Buffer; inode: Inode } | undefined {
    const { f, ffi } = this.#library;
    const out = Buffer.alloc(8);
    if (this.#do(what, () => f.sqfs_dir_reader_read(reader, out)) > 0) return undefined;
    const pointer = out.readBigUInt64LE(0);
    const name = this.#named(() => directoryEntry(ffi, pointer, what, () => f.sqfs_free(pointer)));
    const inode = this.#inode(`${JSON.stringify(name.toString())} in ${what}`, (inodeOut) =>
      f.sqfs_dir_reader_get_inode(reader, inodeOut),
    );
    return { name, inode };
  }

  /** Copies the inode that the library gives, and frees it. */
  #inode(what: string, get: (out: Buffer) => number): Inode {
    const { f, ffi } = this.#library;
    const out = Buffer.alloc(8);
    this.#do(what, () => get(out));
    const pointer = out.readBigUInt64LE(0);
    try {
      const head = INODE_HEAD.read(ffi.toBuffer(pointer, INODE_HEAD.size, false), 0)[0];
      return this.#named(() => decodeInode(ffi.toBuffer(pointer, INODE_SIZE + head.payloadUsed)), what);
    } finally {
      f.sqfs_free(pointer);
    }
  }

  #entry(path: Buffer, inode: Inode): ImageEntry {
    const { kind, mode, mtime, target, device, file } = inode;
    const name = printable(path);
    const attributes =
      inode.attributes === NONE
        ? undefined
        : this.#guarded(`attributes of ${name}`, () => this.#attributes.read(inode.attributes));
    return {
      path,
      kind,
      mode,
      mtime,
      uid: this.#owner(inode.uidIndex, name),
      gid: this.#owner(inode.gidIndex, name),
      inode,
      ...(target !== undefined && { target }),
      ...(device !== undefined && { device }),
      ...(attributes !== undefined && { attributes }),
      ...(file !== undefined && { size: file.size, open: () => this.#content(name, inode) }),
    };
  }

  #owner(index: number, name: string): number {
    const { sqfs_id_table_index_to_id: toId } = this.#library.f;
    const out = Buffer.alloc(4);
    this.#do(`the owner of ${name}`, () => toId(this.#owners, index, out));
    return out.readUInt32LE(0);
  }

  #content(name: string, { raw, file }: Inode): FileContent {
    const { size = 0, blocks = new Uint32Array(0) } = file ?? {};
    const { sqfs_data_reader_read: read } = this.#library.f;
    const { blockSize } = this.superblock;
    return {
      size,
      read: (into, offset) => {
        const part = into.subarray(0, MAX_READ);
        return this.#do(name, () => read(this.#data, raw, BigInt(offset), part, part.length));
      },
      nextData(offset) {
        let block = Math.floor(offset / blockSize);
        while (block < blocks.length && blocks[block] === 0) block++;
        return Math.min(size, Math.max(offset, block * blockSize));
      },
      close() {},
    };
  }

  #createUnpacker(compression: SquashfsCompressor, blockSize: number): bigint {
    if (compression === 'lzo') return this.#undo.use(createLzo(this.#library)).pointer;
    const created = this.#guarded(compression, () => createCompressor(this.#library, compression, blockSize, 'unpack'));
    return this.#own(created);
  }

  #own(object: bigint): bigint {
    const made = this.#library.object(this.name, object);
    return this.#undo.adopt(made, () => this.#library.destroy(made));
  }

  #do(what: string, fn: () => number): number {
    return this.#guarded(what, () => this.#library.check(what, fn()));
  }

  #guarded<T>(what: string, work: () => T): T {
    try {
      return this.#file.attempt(work);
    } catch (cause) {
      throw new Error(`${this.name}: cannot read ${what}`, { cause });
    }
  }

  #named<T>(work: () => T, what?: string): T {
    try {
      return work();
    } catch (cause) {
      throw new Error(what === undefined ? this.name : `${this.name}: cannot read ${what}`, { cause });
    }
  }
}

function openReadable(path: string): number {
  try {
    // Not blocking on a FIFO, and no controlling terminal: the path comes from the command line.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (cause) {
    throw new Error(`cannot open ${path}`, { cause });
  }
}

function joined(directory: Buffer, name: Buffer): Buffer {
  return directory.length === 0 ? name : Buffer.concat([directory, Buffer.from('/'), name]);
}

function lastPart(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(0x2f) + 1);
}
