import { CHUNK_SIZE_LIMIT, type ChunkIndex } from '../../image/chunk-index.ts';
import type { ChunkStore } from '../../image/chunk-store.ts';
import { ChunkSet } from '../wire/chunk-set.ts';
import { DiskWork } from './disk-work.ts';
import type { Twins } from './twins.ts';

/** Found chunks told of together. */
const BATCH = 4096;
/** With so many bytes waiting to be written a disk is behind, until no more than so many do. */
const BEHIND_BYTES = 16 << 20;
const CAUGHT_UP_BYTES = 8 << 20;

export interface DiskEvents {
  /** A chunk that is kept here turned out not to be. */
  readonly trouble: (chunk: number, error: unknown) => void;
  /** A chunk could not be written: the disk is full, or worse. */
  readonly unwritten: (chunk: number, error: unknown) => void;
  /** Chunks whose files a power cut has left empty. */
  readonly torn: (chunks: readonly number[]) => void;
  /** The disk does not keep up: what comes is not to be kept until it does. */
  readonly behind: (isBehind: boolean) => void;
}

/** What a directory does for the chunks of an image. `ChunkStore` is one. */
export type ChunkDirectory = Pick<ChunkStore, 'has' | 'isTorn' | 'read' | 'write' | 'remove' | 'list'>;

/** Chunks in a directory, one file for all that are equal. */
export class DiskLayer {
  readonly #store: ChunkDirectory;
  readonly #index: ChunkIndex;
  readonly #twins: Twins;
  readonly #events: DiskEvents;
  /** Of equal chunks the first stands for all. */
  readonly #stored: ChunkSet;
  readonly #work: DiskWork;
  #isBehind = false;
  isSearched = false;
  #isSweeping = false;

  constructor(store: ChunkDirectory, index: ChunkIndex, twins: Twins, events: DiskEvents) {
    this.#store = store;
    this.#index = index;
    this.#twins = twins;
    this.#events = events;
    this.#stored = new ChunkSet(index.count);
    this.#work = new DiskWork(
      {
        write: (chunk, bytes) => store.write(index.digestHex(chunk), bytes),
        remove: (chunk) => store.remove(index.digestHex(chunk)),
      },
      {
        written: (chunk, isCurrent) => {
          if (isCurrent) this.#stored.add(chunk);
          this.#look();
        },
        unwritten: (chunk, isCurrent, error) => {
          if (isCurrent) events.unwritten(chunk, error);
          this.#look();
        },
        unremoved: events.trouble,
      },
    );
  }

  /** What waits to be written. */
  get waiting(): { readonly bytes: number; readonly chunks: number } {
    return { bytes: this.#work.bytes, chunks: this.#work.chunks };
  }

  /** Settles when nothing waits to be written. */
  idle(): Promise<void> {
    return this.#work.idle();
  }

  has(chunk: number): boolean {
    return this.#stored.has(this.#twins.firstOf(chunk));
  }

  /** It is here, or will be. */
  isKept(chunk: number): boolean {
    return this.has(chunk) || this.writing(chunk) !== undefined;
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
    return this.#work.bytesOf(this.#twins.firstOf(chunk));
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
    if (this.#stored.has(first)) return;
    this.#work.write(first, bytes);
    this.#look();
  }

  drop(chunk: number): void {
    const first = this.#twins.firstOf(chunk);
    this.#work.cancel(first);
    if (this.#stored.delete(first) || this.#work.isWriting(first)) this.#work.remove(first);
    this.#look();
  }

  #look(): void {
    const { bytes } = this.#work;
    if (this.#isBehind ? bytes > CAUGHT_UP_BYTES : bytes <= BEHIND_BYTES) return;
    this.#isBehind = !this.#isBehind;
    this.#events.behind(this.#isBehind);
  }
}
