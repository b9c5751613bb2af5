import { CHUNK_SIZE_LIMIT, type ChunkIndex } from '../../image/chunk-index.ts';
import type { ChunkStore } from '../../image/chunk-store.ts';
import { ChunkSet } from '../wire/chunk-set.ts';
import type { Twins } from './twins.ts';

/** Found chunks told of together. */
const BATCH = 4096;

export interface DiskEvents {
  /** A chunk that is kept here turned out not to be. */
  readonly trouble: (chunk: number, error: unknown) => void;
  /** A chunk could not be written: the disk is full, or worse. */
  readonly unwritten: (chunk: number, error: unknown) => void;
  /** Chunks whose files a power cut has left empty. */
  readonly torn: (chunks: readonly number[]) => void;
}

/** Chunks in a directory, one file for all that are equal. */
export class DiskLayer {
  readonly #store: ChunkStore;
  readonly #index: ChunkIndex;
  readonly #twins: Twins;
  readonly #events: DiskEvents;
  /** Of equal chunks the first stands for all. */
  readonly #stored: ChunkSet;
  readonly #writing = new Map<number, Uint8Array>();
  isSearched = false;
  #isSweeping = false;

  constructor(store: ChunkStore, index: ChunkIndex, twins: Twins, events: DiskEvents) {
    this.#store = store;
    this.#index = index;
    this.#twins = twins;
    this.#events = events;
    this.#stored = new ChunkSet(index.count);
  }

  has(chunk: number): boolean {
    return this.#stored.has(this.#twins.firstOf(chunk));
  }

  /** What is here from an earlier life, batch by batch, in no order. Chunks are checked when they are read. */
  async search(onFound: (chunks: readonly number[]) => void): Promise<void> {
    let found: number[] = [];
    try {
      for await (const digest of this.#store.list()) {
        const chunk = this.#twins.find(Buffer.from(digest, 'hex'));
        if (chunk < 0 || !this.#stored.add(chunk)) continue;
        found.push(chunk);
        if (found.length < BATCH) continue;
        onFound(found);
        found = [];
      }
    } finally {
      this.isSearched = true;
      onFound(found);
    }
  }

  /** While the directory is still being searched: whether a chunk is there, asked for by name. */
  async look(chunk: number): Promise<boolean> {
    const first = this.#twins.firstOf(chunk);
    if (this.#stored.has(first)) return false;
    return (await this.#store.has(this.#index.digestHex(first))) && this.#stored.add(first);
  }

  /** The bytes on their way to the disk. */
  writing(chunk: number): Uint8Array | undefined {
    return this.#writing.get(this.#twins.firstOf(chunk));
  }

  /** Undefined when it is not here any more. @throws Error when it is here and cannot be read */
  async read(chunk: number): Promise<Uint8Array | undefined> {
    const first = this.#twins.firstOf(chunk);
    try {
      const limit = Math.min(this.#index.length(first), CHUNK_SIZE_LIMIT);
      const bytes = await this.#store.read(this.#index.digestHex(first), limit, this.#index.hash);
      if (bytes === undefined) this.#stored.delete(first);
      return bytes;
    } catch (error) {
      this.#stored.delete(first);
      if (!this.#isSweeping && (await this.#store.isTorn(this.#index.digestHex(first)).catch(() => false)))
        void this.#sweep();
      throw error;
    }
  }

  /** Where one file is empty others are: found out one by one, each would cost a read its time. */
  async #sweep(): Promise<void> {
    this.#isSweeping = true;
    let torn: number[] = [];
    for (const chunk of this.#stored) {
      // What cannot even be looked at is not here either.
      if (!(await this.#store.isTorn(this.#index.digestHex(chunk)).catch(() => true))) continue;
      this.#stored.delete(chunk);
      torn.push(chunk);
      if (torn.length < BATCH) continue;
      this.#events.torn(torn);
      torn = [];
    }
    if (torn.length > 0) this.#events.torn(torn);
    this.#isSweeping = false;
  }

  /** Keeps a verified chunk. */
  keep(chunk: number, bytes: Uint8Array): void {
    const first = this.#twins.firstOf(chunk);
    if (this.#stored.has(first) || this.#writing.has(first)) return;
    this.#writing.set(first, bytes);
    void this.#write(first, chunk, bytes);
  }

  drop(chunk: number): void {
    const first = this.#twins.firstOf(chunk);
    this.#writing.delete(first);
    if (this.#stored.delete(first)) void this.#remove(first);
  }

  async #write(first: number, chunk: number, bytes: Uint8Array): Promise<void> {
    try {
      await this.#store.write(this.#index.digestHex(first), bytes);
      // Dropped while it was being written: the file goes after it.
      if (this.#writing.get(first) === bytes) this.#stored.add(first);
      else if (!this.#writing.has(first) && !this.#stored.has(first)) await this.#remove(first);
    } catch (error) {
      if (this.#writing.get(first) === bytes) this.#events.unwritten(chunk, error);
    } finally {
      if (this.#writing.get(first) === bytes) this.#writing.delete(first);
    }
  }

  async #remove(first: number): Promise<void> {
    try {
      await this.#store.remove(this.#index.digestHex(first));
    } catch (error) {
      this.#events.trouble(first, error);
    }
  }
}
