import { hash } from 'node:crypto';
import { encode } from '../codec/struct.ts';
import {
  BLOCK_DONT_HASH,
  BLOCK_IGNORE_SPARSE,
  BLOCK_IS_COMPRESSED,
  BLOCK_IS_SPARSE,
  NONE,
  PROCESSOR,
  SIZE_MASK,
  STORED_PLAIN,
} from './c-structs.ts';
import type { FileContent } from './entry.ts';
import { SquashfsError, type SquashfsLibrary } from './library.ts';
import type { LibraryFile } from './library-file.ts';

/** Blocks under way for each thread: enough that none waits while this thread reads. */
const BLOCKS_PER_THREAD = 8;
/** The library writes a file's list of blocks from its stack: 4 MB of it. With blocks of 256 KiB that is 256 GiB. */
const MAX_BLOCKS = 1024 * 1024;
/** Bytes compared at once when a file looks the same as an earlier one. */
const COMPARE = 64 * 1024;

const WRITE_BLOCK = {
  arguments: ['pointer', 'u64', 'u32', 'u32', 'u32', 'pointer', 'pointer'],
  return: 'i32',
} as const;
const BLOCK_COUNT = { arguments: ['pointer'], return: 'u64' } as const;

/** Where a file's bytes are in the image. Complete after `finish`. */
export interface FileData {
  readonly size: number;
  /** Of the first block. */
  start: number;
  /** Each block's size in the image as inodes have it: STORED_PLAIN set when it is not compressed, 0 for a hole. */
  readonly blocks: Uint32Array;
  /** Bytes of holes. */
  sparse: number;
  /** NONE when the bytes are in blocks. */
  fragment: number;
  fragmentOffset: number;
}

/** A block of small files of an earlier image. */
export interface FragmentGroup {
  readonly number: number;
  /** How far it was filled. */
  readonly bytes: number;
}

export interface FragmentBlock {
  start: number;
  size: number;
}

/** A fragment block that is not full yet. */
interface OpenFragment {
  readonly bytes: Buffer;
  used: number;
  files: FileData[];
}

/** What a block that is under way belongs to. */
type Pending =
  | { readonly fragment: number }
  | { readonly file: FileData; readonly sums: Uint32Array; readonly index: number; readonly last: boolean };

/**
 * Packs the files' bytes: the library's threads compress, in the order in which blocks are given, and this decides what
 * becomes of each. A file smaller than a block shares a fragment block with its neighbours; a larger one is blocks of its
 * own. Files with the same bytes are stored once. The same input gives the same bytes, whatever the number of threads.
 */
export class DataWriter {
  readonly fragments: FragmentBlock[] = [];
  readonly #library: SquashfsLibrary;
  readonly #output: LibraryFile;
  readonly #blockSize: number;
  readonly #processor: bigint;
  readonly #callbacks: readonly bigint[];
  readonly #writer = Buffer.alloc(32);
  /** In the order in which they were given, which is the order in which the library calls back. */
  readonly #pending: Pending[] = [];
  #taken = 0;
  /** Where the next block goes. */
  #end: number;
  #failure: unknown;
  readonly #read: Buffer;
  /** Fills with small files in the order in which they come. */
  readonly #open: OpenFragment;
  /** Fills with those that an earlier image has in one fragment block. */
  readonly #kept: OpenFragment;
  /** The number of that block; none below it begins again. */
  #keptGroup: FragmentGroup = { number: -1, bytes: 0 };
  /** Small files by their SHA-256. */
  readonly #small = new Map<string, FileData>();
  /** Large files by size and their blocks' checksums. */
  readonly #large = new Map<string, FileData[]>();

  constructor(
    library: SquashfsLibrary,
    output: LibraryFile,
    options: { readonly compressor: bigint; readonly blockSize: number; readonly threads: number },
  ) {
    this.#library = library;
    this.#output = output;
    this.#blockSize = options.blockSize;
    this.#end = output.size;
    this.#read = Buffer.alloc(options.blockSize);
    this.#open = { bytes: Buffer.alloc(options.blockSize), used: 0, files: [] };
    this.#kept = { bytes: Buffer.alloc(options.blockSize), used: 0, files: [] };
    const written = (...args: [bigint, bigint, number, number, number, bigint, bigint]) => this.#onBlock(...args);
    this.#callbacks = [library.callback(WRITE_BLOCK, written), library.callback(BLOCK_COUNT, () => 0n)];
    for (const [at, callback] of this.#callbacks.entries()) this.#writer.writeBigUInt64LE(callback, 16 + at * 8);
    const description = encode(PROCESSOR, {
      size: PROCESSOR.size,
      blockSize: options.blockSize,
      workers: options.threads,
      backlog: options.threads * BLOCKS_PER_THREAD,
      compressor: options.compressor,
      writer: library.ffi.getRawPointer(this.#writer),
      fragmentTable: 0n,
      file: 0n,
      uncompressor: 0n,
    });
    const what = `starting ${options.threads} threads`;
    this.#processor = library.out(what, (out) => library.f.sqfs_block_processor_create_ex(description, out));
  }

  /**
   * Takes a file's bytes, all of them before it returns.
   * @param name for errors
   * @param onRead is called with the bytes that were read
   * @param group of a small file: the block of an earlier image that it shares with the others of this group. Groups
   * come in the order of their numbers; a file whose group is past is packed as one without
   * @throws Error when the file ends too soon, or what `content` throws
   */
  async add(
    content: FileContent,
    name: () => string,
    onRead: (bytes: number) => void,
    group?: FragmentGroup,
  ): Promise<FileData> {
    const { size } = content;
    if (size < this.#blockSize) {
      const got = await fill(content, this.#read.subarray(0, size), 0);
      if (got !== size) throw cutShort(name(), size, got);
      onRead(size);
      return this.#addSmall(this.#read.subarray(0, size), group);
    }
    return await this.#addLarge(content, name, onRead);
  }

  /** Waits until everything is in the image, and gives where it ends. */
  finish(): number {
    this.#closeKept();
    this.#close(this.#open);
    this.#check(this.#library.f.sqfs_block_processor_finish(this.#processor));
    return this.#end;
  }

  /** Ends the threads; blocks that are not written yet are given up. */
  close(): void {
    this.#library.destroy(this.#processor);
    for (const callback of this.#callbacks) this.#library.forget(callback);
  }

  #addSmall(bytes: Buffer, group: FragmentGroup | undefined): FileData {
    const data = emptyData(bytes.length, 0);
    if (bytes.length === 0) return data;
    const digest = hash('sha256', bytes, 'base64');
    const same = this.#small.get(digest);
    if (same !== undefined) return same;
    this.#small.set(digest, data);
    if (group !== undefined && group.number > this.#keptGroup.number) {
      // Now, and not when its last file came: large files lie between the blocks as they did.
      this.#closeKept();
      this.#keptGroup = group;
    }
    this.#place(data, bytes, group?.number === this.#keptGroup.number ? this.#kept : this.#open);
    return data;
  }

  #place(data: FileData, bytes: Buffer, open: OpenFragment): void {
    if (open.used + bytes.length > this.#blockSize) this.#close(open);
    data.fragmentOffset = open.used;
    open.bytes.set(bytes, open.used);
    open.used += bytes.length;
    open.files.push(data);
  }

  /** What is left of a block most of which has changed is no block of its own: it would pack worse, and share nothing. */
  #closeKept(): void {
    const { bytes, used, files } = this.#kept;
    if (used >= Math.min(this.#blockSize / 4, this.#keptGroup.bytes)) {
      this.#close(this.#kept);
      return;
    }
    this.#kept.used = 0;
    this.#kept.files = [];
    for (const file of files) {
      this.#place(file, bytes.subarray(file.fragmentOffset, file.fragmentOffset + file.size), this.#open);
    }
  }

  /** Gives a fragment block to be packed. */
  #close(open: OpenFragment): void {
    if (open.used === 0) return;
    const index = this.fragments.push({ start: 0, size: 0 }) - 1;
    for (const file of open.files) file.fragment = index;
    const bytes = open.bytes.subarray(0, open.used);
    open.used = 0;
    open.files = [];
    this.#submit(bytes, BLOCK_IGNORE_SPARSE | BLOCK_DONT_HASH, { fragment: index });
  }

  async #addLarge(content: FileContent, name: () => string, onRead: (bytes: number) => void): Promise<FileData> {
    const { size } = content;
    const count = Math.ceil(size / this.#blockSize);
    if (count > MAX_BLOCKS) throw new Error(`${name()} is too large for an image: ${size} bytes`);
    const file = emptyData(size, count);
    const sums = new Uint32Array(count);
    let dataAt = -1;
    for (let index = 0; index < count; index++) {
      const offset = index * this.#blockSize;
      const length = Math.min(this.#blockSize, size - offset);
      const last = index + 1 === count;
      if (content.nextData !== undefined && dataAt < offset) dataAt = await content.nextData(offset);
      const hole = dataAt >= offset + length;
      const bytes = this.#read.subarray(0, length);
      if (hole) bytes.fill(0);
      else {
        const got = await fill(content, bytes, offset);
        if (got !== length) throw cutShort(name(), size, offset + got);
      }
      onRead(length);
      // The first and the last one are what a file's place is decided by.
      if (hole && index > 0 && !last) file.sparse += length;
      else this.#submit(bytes, 0, { file, sums, index, last });
    }
    return file;
  }

  #submit(bytes: Uint8Array, flags: number, pending: Pending): void {
    this.#pending.push(pending);
    const length = BigInt(bytes.length);
    this.#check(this.#library.f.sqfs_block_processor_submit_block(this.#processor, 0n, flags, bytes, length));
  }

  #check(result: number): void {
    if (result === 0) return;
    throw this.#failure ?? new SquashfsError(`packing ${this.#output.name}`, result);
  }

  /** The library has compressed a block and asks where it was put. */
  #onBlock(
    _writer: bigint,
    _user: bigint,
    size: number,
    sum: number,
    flags: number,
    data: bigint,
    location: bigint,
  ): number {
    try {
      this.#library.ffi.setUint64(location, 0, BigInt(this.#end));
      const pending = this.#takePending();
      const stored = (flags & BLOCK_IS_COMPRESSED) === 0 ? size | STORED_PLAIN : size;
      if ('fragment' in pending) {
        this.fragments[pending.fragment] = { start: this.#end, size: stored };
        this.#append(data, size);
      } else this.#placeBlock(pending, { size, stored, sum, data, hole: (flags & BLOCK_IS_SPARSE) !== 0 });
      return 0;
    } catch (error) {
      this.#failure = error;
      return -2;
    }
  }

  #takePending(): Pending {
    const pending = this.#pending[this.#taken++];
    if (pending === undefined) throw new Error('libsquashfs gave back a block that it was never given');
    if (this.#taken > 4096) {
      this.#pending.splice(0, this.#taken);
      this.#taken = 0;
    }
    return pending;
  }

  #placeBlock(
    { file, sums, index, last }: Exclude<Pending, { fragment: number }>,
    block: { size: number; stored: number; sum: number; data: bigint; hole: boolean },
  ): void {
    if (index === 0) file.start = this.#end;
    if (block.hole) file.sparse += block.size;
    else {
      file.blocks[index] = block.stored;
      sums[index] = block.sum;
      this.#append(block.data, block.size);
    }
    if (last) this.#shareLarge(file, sums);
  }

  #append(data: bigint, size: number): void {
    this.#output.write(this.#library.ffi.toBuffer(data, size, false), this.#end);
    this.#end += size;
  }

  /** A file whose blocks are those of an earlier one takes these, and its own are written over. */
  #shareLarge(file: FileData, sums: Uint32Array): void {
    const key = `${file.size}:${hash('md5', Buffer.concat([bytesOf(sums), bytesOf(file.blocks)]), 'base64')}`;
    const alike = this.#large.get(key);
    if (alike === undefined) {
      this.#large.set(key, [file]);
      return;
    }
    const same = alike.find((other) => this.#sameBytes(other.start, file.start, this.#end - file.start));
    if (same === undefined) alike.push(file);
    else {
      this.#end = file.start;
      file.start = same.start;
    }
  }

  #sameBytes(a: number, b: number, length: number): boolean {
    const [left, right] = [Buffer.alloc(COMPARE), Buffer.alloc(COMPARE)];
    for (let done = 0; done < length; done += COMPARE) {
      const part = Math.min(COMPARE, length - done);
      if (!this.#output.read(left.subarray(0, part), a + done)) return false;
      if (!this.#output.read(right.subarray(0, part), b + done)) return false;
      if (left.compare(right, 0, part, 0, part) !== 0) return false;
    }
    return true;
  }
}

function emptyData(size: number, blocks: number): FileData {
  return { size, start: 0, blocks: new Uint32Array(blocks), sparse: 0, fragment: NONE, fragmentOffset: 0 };
}

/** Reads until `into` is full or the file ends; gives how many bytes there were. */
async function fill(content: FileContent, into: Buffer, offset: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const part = content.read(done === 0 ? into : into.subarray(done), offset + done);
    const got = typeof part === 'number' ? part : await part;
    if (got === 0) break;
    done += got;
  }
  return done;
}

function cutShort(name: string, size: number, got: number): Error {
  return new Error(`${name} became shorter while it was read: ${got} of ${size} bytes were there`);
}

function bytesOf(values: Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Bytes that `size`, of a block as inodes have it, takes in the image. */
export function storedBytes(size: number): number {
  return size & SIZE_MASK;
}
