import type { ChunkIndex } from '../image/chunk-index.ts';
import type { BlockSource } from '../nbd/block-source.ts';
import { ReadBuffers } from './read-buffers.ts';
import type { ChunkHolder } from './store/chunk-holder.ts';
import type { ChunkRange } from './wire/chunk-set.ts';

export interface ReaderEvents {
  /** The read waits for these chunks; `ready` is to be called when all are held. */
  read(read: number, chunks: ChunkRange): void;
  unread(read: number): void;
  /** A held chunk could not be read after all. */
  trouble(chunk: number, error: unknown): void;
  isHeld(chunk: number): boolean;
  /** These lie in a directory that is still being searched. */
  found(chunks: readonly number[]): void;
  /** A read was answered out of memory by the chunks from `first` to `last`. */
  touched(first: number, last: number): void;
}

/** The field as a block device: bytes out of memory at once, the rest as soon as the machine has got it. */
export class FieldReader implements BlockSource {
  readonly #index: ChunkIndex;
  readonly #holder: ChunkHolder;
  readonly #events: ReaderEvents;
  /** Sees each read, until it says that it has seen enough. */
  #watch: ((offset: number, end: number) => boolean) | undefined;
  readonly #buffers = new ReadBuffers();
  readonly #waiting = new Map<number, () => void>();
  #nextRead = 1;
  /** The chunk of the last read: the next one begins in it more often than not. */
  #last = 0;

  constructor(index: ChunkIndex, holder: ChunkHolder, events: ReaderEvents) {
    this.#index = index;
    this.#holder = holder;
    this.#events = events;
  }

  get size(): number {
    return this.#index.size;
  }

  /** @param watch is told of each read until it answers false */
  watch(watch: (offset: number, end: number) => boolean): void {
    this.#watch = watch;
  }

  /** The machine has everything a read waits for. */
  ready(read: number): void {
    this.#waiting.get(read)?.();
  }

  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> | Uint8Array {
    if (length === 0) return new Uint8Array(0);
    const end = offset + length;
    if (this.#watch?.(offset, end) === false) this.#watch = undefined;
    const first = this.#locate(offset);
    let last = first;
    while (this.#endOf(last) < end) last++;
    this.#last = last;
    const view = this.#holder.memory.view(offset, end, first, last);
    if (view === undefined) return this.#gather(offset, end, first, last, signal);
    // Where all of the image has its place nothing is ever dropped, and who read what does not matter.
    if (!this.#holder.isWhole) this.#events.touched(first, last);
    return view;
  }

  release(bytes: Uint8Array): void {
    this.#buffers.giveBack(bytes);
  }

  #endOf(chunk: number): number {
    return this.#index.ends[chunk] as number;
  }

  #locate(offset: number): number {
    const guess = this.#last;
    if (offset < this.#endOf(guess) && offset >= this.#index.start(guess)) return guess;
    if (offset === this.#endOf(guess) && guess + 1 < this.#index.count) return guess + 1;
    return this.#index.locate(offset);
  }

  async #gather(offset: number, end: number, first: number, last: number, signal?: AbortSignal): Promise<Uint8Array> {
    const read = this.#nextRead++;
    try {
      for (;;) {
        await this.#wait(read, { start: first, end: last + 1 }, signal);
        const bytes = await this.#collect(offset, end, first, last);
        if (bytes !== undefined) return bytes;
      }
    } finally {
      this.#events.unread(read);
    }
  }

  /** Until every chunk is held. */
  async #wait(read: number, chunks: ChunkRange, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#holder.isSearching) {
      const found = await this.#holder.look(chunks.start, chunks.end);
      if (found.length > 0) this.#events.found(found);
      signal?.throwIfAborted();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void => reject(signal?.reason);
    this.#waiting.set(read, resolve);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      this.#events.read(read, chunks);
      await promise;
    } finally {
      this.#waiting.delete(read);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** The bytes out of their chunks; undefined when one of these turned out not to be held. */
  async #collect(offset: number, end: number, first: number, last: number): Promise<Uint8Array | undefined> {
    const view = this.#holder.memory.view(offset, end, first, last);
    if (view !== undefined) return view;
    const result = this.#buffers.take(end - offset);
    // Side by side: of a disk that hangs all are late at the same time.
    const loads = Array.from({ length: last - first + 1 }, async (_, i) => {
      const bytes = await this.#holder.load(first + i);
      const start = this.#index.start(first + i);
      const from = Math.max(offset, start);
      const to = Math.min(end, start + bytes.length);
      result.set(bytes.subarray(from - start, to - start), from - offset);
    });
    let isWhole = true;
    for (const [i, load] of (await Promise.allSettled(loads)).entries()) {
      if (load.status === 'fulfilled') continue;
      this.#events.trouble(first + i, load.reason);
      isWhole = false;
    }
    if (isWhole) return result;
    this.#buffers.giveBack(result);
    return undefined;
  }
}
