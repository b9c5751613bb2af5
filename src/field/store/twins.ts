import type { ChunkIndex } from '../../image/chunk-index.ts';

const DIGEST_SIZE = 32;
const NONE: readonly number[] = [];

/** Which chunks of an image are the same bytes: one of them that is here is all of them. */
export class Twins {
  /** Chunk + 1 by digest, open addressing; of equal chunks the first. */
  readonly #slots: Int32Array;
  /** All chunks of each group of equal ones, by each of them. */
  readonly #groups = new Map<number, number[]>();
  readonly #words: DataView;

  constructor(index: Pick<ChunkIndex, 'count' | 'digests'>) {
    const { digests } = index;
    this.#words = new DataView(digests.buffer, digests.byteOffset, digests.byteLength);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(index.count * 1.5 + 2)));
    for (let chunk = 0; chunk < index.count; chunk++) this.#insert(chunk);
  }

  /** The others that are equal to a chunk. */
  othersOf(chunk: number): readonly number[] {
    return this.#groups.get(chunk)?.filter((other) => other !== chunk) ?? NONE;
  }

  /** Every chunk that has others equal to it. */
  alike(): Iterable<number> {
    return this.#groups.keys();
  }

  /** The first of those that are equal to a chunk, itself when there is none before it. */
  firstOf(chunk: number): number {
    return this.#groups.get(chunk)?.[0] ?? chunk;
  }

  /** The first chunk with that digest, -1 when the image has none. */
  find(digest: Uint8Array): number {
    const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength);
    for (let slot = view.getUint32(0) & (this.#slots.length - 1); ; slot = (slot + 1) & (this.#slots.length - 1)) {
      const chunk = (this.#slots[slot] as number) - 1;
      if (chunk < 0 || this.#isSame(chunk, view, 0)) return chunk;
    }
  }

  #insert(chunk: number): void {
    const at = chunk * DIGEST_SIZE;
    const mask = this.#slots.length - 1;
    for (let slot = this.#words.getUint32(at) & mask; ; slot = (slot + 1) & mask) {
      const first = (this.#slots[slot] as number) - 1;
      if (first < 0) {
        this.#slots[slot] = chunk + 1;
        return;
      }
      if (!this.#isSame(first, this.#words, at)) continue;
      const group = this.#groups.get(first) ?? [first];
      group.push(chunk);
      this.#groups.set(first, group);
      this.#groups.set(chunk, group);
      return;
    }
  }

  #isSame(chunk: number, view: DataView, at: number): boolean {
    const start = chunk * DIGEST_SIZE;
    for (let i = 0; i < DIGEST_SIZE; i += 4) {
      if (this.#words.getUint32(start + i) !== view.getUint32(at + i)) return false;
    }
    return true;
  }
}
