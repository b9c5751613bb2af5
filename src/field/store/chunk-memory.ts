import type { Lengths } from '../event.ts';

/** Where chunks start, beside how long they are. `ChunkIndex` is one. */
export interface Layout extends Lengths {
  start(chunk: number): number;
  locate(offset: number): number;
}

/**
 * Chunks in RAM. When all of the image may be kept, it lies in one piece as it does on its medium, so that a read
 * across chunks is a view and nothing is ever copied; the pages come from the system as they are first written.
 * Otherwise every chunk has its own buffer.
 */
export class ChunkMemory {
  readonly #layout: Layout;
  readonly #whole: Uint8Array | undefined;
  readonly #filled: Uint8Array;
  readonly #single = new Map<number, Uint8Array>();

  constructor(layout: Layout, isWhole: boolean) {
    this.#layout = layout;
    this.#whole = isWhole ? new Uint8Array(layout.size) : undefined;
    this.#filled = new Uint8Array(layout.count);
  }

  has(chunk: number): boolean {
    return this.#filled[chunk] === 1;
  }

  get(chunk: number): Uint8Array | undefined {
    if (this.#filled[chunk] !== 1) return undefined;
    return this.#whole === undefined ? this.#single.get(chunk) : this.#place(this.#whole, chunk);
  }

  /** Where to put the bytes of a chunk that is not there yet, before `put`; may be written to only until then. */
  target(chunk: number): Uint8Array {
    const length = this.#layout.length(chunk);
    return this.#whole === undefined ? Buffer.allocUnsafeSlow(length) : this.#place(this.#whole, chunk);
  }

  /** Takes a verified chunk; copies it only when it does not lie where `target` said. */
  put(chunk: number, bytes: Uint8Array): void {
    if (this.#filled[chunk] === 1) return;
    if (this.#whole === undefined) this.#single.set(chunk, bytes);
    else {
      const place = this.#place(this.#whole, chunk);
      if (bytes.buffer !== place.buffer || bytes.byteOffset !== place.byteOffset) place.set(bytes);
    }
    this.#filled[chunk] = 1;
  }

  drop(chunk: number): void {
    // In one piece nothing is dropped for want of room; a chunk that went bad is written over.
    this.#filled[chunk] = 0;
    this.#single.delete(chunk);
  }

  /** The bytes [offset, end) when all of them are here; a view if they lie in one piece. */
  view(offset: number, end: number, first: number, last: number): Uint8Array | undefined {
    for (let chunk = first; chunk <= last; chunk++) if (this.#filled[chunk] !== 1) return undefined;
    if (this.#whole !== undefined) return this.#whole.subarray(offset, end);
    if (first !== last) return undefined;
    const start = this.#layout.start(first);
    return this.#single.get(first)?.subarray(offset - start, end - start);
  }

  #place(whole: Uint8Array, chunk: number): Uint8Array {
    const start = this.#layout.start(chunk);
    return whole.subarray(start, start + this.#layout.length(chunk));
  }
}
