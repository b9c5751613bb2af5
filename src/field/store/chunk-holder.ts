import { hash } from 'node:crypto';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { ChunkCorruptError } from '../../image/chunk-source.ts';
import type { ChunkStore } from '../../image/chunk-store.ts';
import { ChunkMemory } from './chunk-memory.ts';

/** A local medium that has the whole image. */
export interface Medium {
  readonly name: string;
  /** Size of the image in bytes. */
  readonly size: number;
  /** Fills all of `target` from `offset` on. @throws Error when it cannot */
  read(target: Uint8Array, offset: number): Promise<void>;
}

export interface HolderOptions {
  readonly index: ChunkIndex;
  /** Bytes of chunks that may be in memory. */
  readonly memoryBytes: number;
  readonly medium: Medium | undefined;
  readonly store: ChunkStore | undefined;
}

/** Bytes of a directory store's or medium's chunks kept in memory as well, when that is not told otherwise. */
const CACHED_CHUNKS = 64;

/** A medium that gives none of so many chunks, all over the image, has been taken out; a bad spot is smaller. */
const PROBES = 8;
const PROBE_BYTES = 512;

/** Everything this node holds, wherever it lies: memory, a directory, the medium the image came on. */
export class ChunkHolder {
  readonly memory: ChunkMemory;
  readonly #index: ChunkIndex;
  #medium: Medium | undefined;
  readonly #store: ChunkStore | undefined;
  /** All of the image may be in memory. */
  readonly isWhole: boolean;
  /** Chunks in the directory. */
  readonly #stored = new Set<number>();
  /** Chunks in memory only because they were read from elsewhere: the oldest go. */
  readonly #cached = new Map<number, true>();
  readonly #loading = new Map<number, Promise<Uint8Array>>();
  readonly #writing = new Map<number, Uint8Array>();
  bytesFromMedium = 0;

  constructor(options: HolderOptions) {
    this.#index = options.index;
    this.#medium = options.medium;
    this.#store = options.store;
    this.isWhole = options.memoryBytes >= options.index.size;
    this.memory = new ChunkMemory(options.index, this.isWhole);
  }

  /** What a directory has from an earlier life. Chunks are checked when they are read. */
  async findStored(): Promise<void> {
    if (this.#store === undefined) return;
    const numbers = new Map<string, number[]>();
    for (let chunk = 0; chunk < this.#index.count; chunk++) {
      const digest = this.#index.digestHex(chunk);
      numbers.set(digest, [...(numbers.get(digest) ?? []), chunk]);
    }
    for await (const digest of this.#store.list()) {
      for (const chunk of numbers.get(digest) ?? []) this.#stored.add(chunk);
    }
  }

  /** Chunks held at the start. */
  *initial(): Generator<number> {
    for (let chunk = 0; chunk < this.#index.count; chunk++) {
      if (this.#medium !== undefined || this.#stored.has(chunk)) yield chunk;
    }
  }

  /** The chunk at once when it is in memory, else a promise of it. */
  load(chunk: number): Uint8Array | Promise<Uint8Array> {
    const here = this.memory.get(chunk) ?? this.#writing.get(chunk);
    if (here !== undefined) return here;
    const loading = this.#loading.get(chunk);
    if (loading !== undefined) return loading;
    const started = this.#read(chunk).finally(() => this.#loading.delete(chunk));
    this.#loading.set(chunk, started);
    return started;
  }

  /** Keeps a verified chunk. */
  keep(chunk: number, bytes: Uint8Array): void {
    if (this.#store === undefined) {
      this.memory.put(chunk, bytes);
      return;
    }
    this.#cache(chunk, bytes);
    this.#writing.set(chunk, bytes);
    const digest = this.#index.digestHex(chunk);
    this.#store
      .write(digest, bytes)
      .then(() => {
        // Dropped while it was being written: the file goes after it.
        if (this.#writing.get(chunk) === bytes) this.#stored.add(chunk);
        else if (!this.#writing.has(chunk) && !this.#stored.has(chunk)) return this.#store?.remove(digest);
      })
      .catch((error: unknown) => this.onTrouble(chunk, error))
      .finally(() => {
        if (this.#writing.get(chunk) === bytes) this.#writing.delete(chunk);
      });
  }

  drop(chunk: number): void {
    this.#cached.delete(chunk);
    this.#writing.delete(chunk);
    this.memory.drop(chunk);
    if (!this.#stored.delete(chunk)) return;
    this.#store?.remove(this.#index.digestHex(chunk)).catch((error: unknown) => this.onTrouble(chunk, error));
  }

  /**
   * To be asked when the medium has failed: the chunks that went with it, when it has been taken out. From then on it is
   * not asked any more.
   */
  async lostWithMedium(): Promise<readonly number[]> {
    const medium = this.#medium;
    if (medium === undefined) return [];
    const only: number[] = [];
    for (let chunk = 0; chunk < this.#index.count; chunk++) {
      // What is merely cached will be let go without anybody being told.
      const isKept = (this.isWhole && this.memory.has(chunk)) || this.#stored.has(chunk);
      if (!isKept) only.push(chunk);
    }
    const step = Math.max(1, Math.floor(only.length / PROBES));
    for (let i = 0; i < only.length; i += step) {
      const chunk = only[i] as number;
      const target = new Uint8Array(Math.min(PROBE_BYTES, this.#index.length(chunk)));
      const isThere = await medium.read(target, this.#index.start(chunk)).then(
        () => true,
        () => false,
      );
      if (isThere) return [];
    }
    this.#medium = undefined;
    return only;
  }

  /** Called when a chunk that was held can no longer be had from here. */
  onTrouble: (chunk: number, error: unknown) => void = () => {};

  async #read(chunk: number): Promise<Uint8Array> {
    if (this.#stored.has(chunk) && this.#store !== undefined) {
      const bytes = await this.#store.read(this.#index.digestHex(chunk), this.#index.length(chunk));
      if (bytes !== undefined) {
        this.#cache(chunk, bytes);
        return bytes;
      }
      this.#stored.delete(chunk);
    }
    if (this.#medium === undefined) throw new Error(`chunk ${chunk} is not here any more`);
    const bytes = Buffer.allocUnsafeSlow(this.#index.length(chunk));
    await this.#medium.read(bytes, this.#index.start(chunk));
    this.bytesFromMedium += bytes.length;
    if (!isChunk(this.#index, chunk, bytes)) {
      throw new ChunkCorruptError(`${this.#medium.name}: chunk ${chunk} is not what the index says`);
    }
    this.#cache(chunk, bytes);
    return bytes;
  }

  /** The whole image fits: what was read once stays. Else the last few chunks do. */
  #cache(chunk: number, bytes: Uint8Array): void {
    this.memory.put(chunk, bytes);
    if (this.isWhole) return;
    this.#cached.set(chunk, true);
    if (this.#cached.size <= CACHED_CHUNKS) return;
    for (const oldest of this.#cached.keys()) {
      this.#cached.delete(oldest);
      this.memory.drop(oldest);
      return;
    }
  }
}

export function isChunk(index: ChunkIndex, chunk: number, bytes: Uint8Array): boolean {
  return (
    bytes.length === index.length(chunk) && Buffer.compare(hash('sha256', bytes, 'buffer'), index.digest(chunk)) === 0
  );
}
