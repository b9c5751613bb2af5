import { closeSync, fsyncSync, ftruncateSync, openSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AttributeWriter } from './attribute-writer.ts';
import { FLAG_ALWAYS_FRAGMENTS, FLAG_COMPRESSOR_OPTIONS, NONE } from './c-structs.ts';
import { compressorId, compressorOptions, createCompressor, LEVELS, type WriteCompressor } from './compressor.ts';
import { DataWriter, type FileData, type FragmentGroup } from './data-writer.ts';
import type { TreeEntry } from './entry.ts';
import { checkTarget, EntryTree, printable, type TreeNode } from './entry-tree.ts';
import { openLibrary, type SquashfsLibrary } from './library.ts';
import { LibraryFile } from './library-file.ts';
import { MetadataWriter } from './metadata-writer.ts';
import { createLz4 } from './own-compressor.ts';
import { SUPERBLOCK } from './superblock.ts';

/** 256 KiB were the smallest image measured. */
export const USUAL_BLOCK_SIZE = 256 * 1024;
/** A file is padded to this, so that a loop device shows its last block whole. */
const PADDING = 4096;
/** How long this thread works before others' events (a signal) have their turn. */
const TURN_MS = 50;
const MAX_TIME = 0xffffffff;

export interface WriteOptions {
  readonly compressor?: WriteCompressor;
  /** Within LEVELS of the compressor. */
  readonly level?: number;
  /** A power of two, 4 KiB to 1 MiB. */
  readonly blockSize?: number;
  /** That compress; as many as there are processors. The bytes are the same with any number. */
  readonly threads?: number;
  /** Seconds since 1970: the image's own time, and the latest that a file's may be (SOURCE_DATE_EPOCH). Now. */
  readonly epoch?: number;
  readonly signal?: AbortSignal;
  /** Bytes of files read so far. */
  readonly onProgress?: (doneBytes: number) => void;
  /**
   * Of a file smaller than a block: which block of small files it lay in in an earlier image (`EarlierLayout`). A block
   * that holds the same files in the same order has the same bytes.
   */
  readonly group?: (entry: TreeEntry) => FragmentGroup | undefined;
}

export interface WriteReport {
  /** The whole file, padding included. */
  readonly bytes: number;
  readonly inodes: number;
  /** Of all files together, before packing; files that are the same count each time. */
  readonly fileBytes: number;
  /** Times before 1970 or after 2106, which squashfs cannot keep: made the nearest that it can. */
  readonly clampedTimes: number;
  /** Attributes that squashfs cannot keep (POSIX ACLs), how many of each name. */
  readonly attributesLeft: ReadonlyMap<string, number>;
  /** Sockets; they are kept, though nobody listens to one in an image. */
  readonly sockets: number;
}

/**
 * Writes a squashfs image of `entries` to `path`, a name that nobody takes for a finished image: it is there, whole and
 * on the disk, when this returns, and the caller gives it its name. The files' bytes lie in it in the order of the
 * entries. This thread reads, the library's threads compress. After any failure there is no file.
 * @throws Error saying which entry or which write failed; the signal's reason
 */
export async function writeSquashfs(
  entries: Iterable<TreeEntry> | AsyncIterable<TreeEntry>,
  path: string,
  options: WriteOptions = {},
): Promise<WriteReport> {
  const library = openLibrary();
  const fd = create(path);
  try {
    using writer = new SquashfsWriter(library, fd, path, options);
    const report = await writer.write(entries);
    fsyncSync(fd);
    return report;
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

function create(path: string): number {
  try {
    return openSync(path, 'w+', 0o644);
  } catch (cause) {
    throw new Error(`cannot create ${path}`, { cause });
  }
}

class SquashfsWriter {
  readonly #library: SquashfsLibrary;
  readonly #fd: number;
  readonly #file: LibraryFile;
  readonly #options: WriteOptions;
  readonly #epoch: number;
  readonly #superblock = Buffer.alloc(SUPERBLOCK.size);
  readonly #undo = new DisposableStack();
  /** For the tables. */
  readonly #compressor: bigint;
  readonly #data: DataWriter;
  readonly #metadata: MetadataWriter;
  readonly #attributes: AttributeWriter;
  readonly #tree: EntryTree;
  #fileBytes = 0;
  #clampedTimes = 0;
  #sockets = 0;
  #turnEnds = 0;

  constructor(library: SquashfsLibrary, fd: number, path: string, options: WriteOptions) {
    const { compressor = 'zstd', blockSize = USUAL_BLOCK_SIZE, threads = availableParallelism() } = options;
    const { level = LEVELS[compressor].usual, epoch = Math.floor(Date.now() / 1000) } = options;
    this.#library = library;
    this.#fd = fd;
    this.#options = options;
    this.#epoch = Math.min(Math.max(epoch, 0), MAX_TIME);
    const id = compressorId(compressor);
    const made = library.f.sqfs_super_init(this.#superblock, BigInt(blockSize), this.#epoch, id);
    library.check(`block size ${blockSize}`, made);
    try {
      this.#file = this.#undo.adopt(new LibraryFile(library, fd, path, 0), (file) => file.close());
      const packer = this.#undo.adopt(createCompressor(library, compressor, blockSize, { level }), (object) =>
        library.destroy(object),
      );
      this.#compressor = compressor === 'lz4' ? this.#undo.use(createLz4(library)).pointer : packer;
      const optionBlock = compressorOptions(compressor, level);
      this.#file.write(Buffer.concat([this.#superblock, optionBlock ?? Buffer.alloc(0)]), 0);
      if (optionBlock !== undefined)
        this.#changeSuperblock(({ flags }) => ({ flags: flags | FLAG_COMPRESSOR_OPTIONS }));
      const dataOptions = { compressor: packer, blockSize, threads };
      this.#data = this.#undo.adopt(new DataWriter(library, this.#file, dataOptions), (data) => data.close());
      const metadata = new MetadataWriter(library, this.#file, this.#compressor);
      this.#metadata = this.#undo.adopt(metadata, (tables) => tables.close());
      this.#attributes = this.#undo.adopt(new AttributeWriter(library), (attributes) => attributes.close());
    } catch (error) {
      this.#undo.dispose();
      throw error;
    }
    this.#tree = new EntryTree({ mtime: this.#epoch, attributes: NONE });
  }

  [Symbol.dispose](): void {
    this.#undo.dispose();
  }

  async write(entries: Iterable<TreeEntry> | AsyncIterable<TreeEntry>): Promise<WriteReport> {
    for await (const entry of entries) {
      if (entry.kind === 'hardlink') this.#tree.link(entry);
      else this.#tree.add(entry, await this.#node(entry, entry.kind));
      await this.#giveTurn();
    }
    this.#file.size = this.#data.finish();
    const { root } = this.#tree;
    const tables = this.#metadata.writeTree(root);
    this.#changeSuperblock(() => tables);
    this.#options.signal?.throwIfAborted();
    this.#metadata.writeTables(this.#superblock, root, this.#data.fragments);
    this.#attributes.write(this.#file, this.#superblock, this.#compressor);
    return this.#finish(tables.inodes);
  }

  /** The superblock comes last: until then there is none that fits. */
  #finish(inodes: number): WriteReport {
    const used = this.#file.size;
    const flags = (now: number): number => now & ~FLAG_ALWAYS_FRAGMENTS;
    this.#changeSuperblock((fields) => ({ bytesUsed: BigInt(used), flags: flags(fields.flags) }));
    const { sqfs_super_write: write } = this.#library.f;
    this.#file.attempt(() =>
      this.#library.check('writing the superblock', write(this.#superblock, this.#file.pointer)),
    );
    const bytes = Math.ceil(used / PADDING) * PADDING;
    // Also cuts off what was written and then found to be there already.
    ftruncateSync(this.#fd, used);
    ftruncateSync(this.#fd, bytes);
    return {
      bytes,
      inodes,
      fileBytes: this.#fileBytes,
      clampedTimes: this.#clampedTimes,
      attributesLeft: this.#attributes.left,
      sockets: this.#sockets,
    };
  }

  async #node(entry: TreeEntry, kind: TreeNode['kind']): Promise<TreeNode> {
    const name = () => printable(entry.path);
    if (kind === 'socket') this.#sockets++;
    const data = kind === 'file' ? await this.#addData(entry, name) : undefined;
    return {
      kind,
      mode: entry.mode & 0o7777,
      uid: entry.uid,
      gid: entry.gid,
      mtime: this.#clamp(entry.mtime),
      links: 1,
      attributes: this.#attributes.add(entry.attributes, name),
      ...(data !== undefined && { data }),
      ...(kind === 'symlink' && { target: checkTarget(entry) }),
      ...(entry.device !== undefined && { device: entry.device }),
      ...(kind === 'directory' && { children: new Map() }),
    };
  }

  async #addData(entry: TreeEntry, name: () => string): Promise<FileData> {
    if (entry.open === undefined) throw new Error(`${name()} is a file that cannot be opened`);
    const opening = entry.open();
    const content = opening instanceof Promise ? await opening : opening;
    const onRead = (bytes: number): void => {
      this.#fileBytes += bytes;
      this.#options.signal?.throwIfAborted();
      this.#options.onProgress?.(this.#fileBytes);
    };
    let added: FileData | undefined;
    try {
      added = await this.#data.add(content, name, onRead, this.#options.group?.(entry));
    } finally {
      await closeContent(content, added === undefined);
    }
    return added;
  }

  #clamp(mtime: number): number {
    const whole = Math.floor(mtime);
    const kept = Math.min(Math.max(whole, 0), MAX_TIME);
    if (kept !== whole) this.#clampedTimes++;
    return this.#options.epoch === undefined ? kept : Math.min(kept, this.#epoch);
  }

  #changeSuperblock(
    change: (fields: ReturnType<typeof SUPERBLOCK.read>[0]) => Partial<ReturnType<typeof SUPERBLOCK.read>[0]>,
  ) {
    const fields = SUPERBLOCK.read(this.#superblock, 0)[0];
    SUPERBLOCK.write({ ...fields, ...change(fields) }, this.#superblock, 0);
  }

  async #giveTurn(): Promise<void> {
    const now = performance.now();
    if (now < this.#turnEnds) return;
    await nextTurn();
    this.#options.signal?.throwIfAborted();
    this.#turnEnds = performance.now() + TURN_MS;
  }
}

/** When reading failed, that is the error; what closing says then matters no more. */
async function closeContent(content: { close(): void | Promise<void> }, failed: boolean): Promise<void> {
  try {
    const closing = content.close();
    if (closing !== undefined) await closing;
  } catch (error) {
    if (!failed) throw error;
  }
}
