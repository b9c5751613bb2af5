import type { ChunkRange, ChunkSet } from '../wire/chunk-set.ts';
import { toRanges } from '../wire/ranges.ts';
import type { ReadQueue } from './read-queue.ts';
import type { Source } from './source.ts';

/** Candidates looked at to find the rarest one: bounds the work in images of very many chunks. */
const SCAN_LIMIT = 4096;
/** Ranges in a request that leaves the choice to the source. */
const CHOICE_RANGES = 64;

export interface ChoiceOptions {
  readonly held: ChunkSet;
  /** Chunks on order somewhere. */
  readonly ordered: ChunkSet;
  /** How many sources have each chunk. */
  readonly copies: Uint16Array;
  readonly reads: ReadQueue;
  /** Chunks to fetch in idle time although there is no room: they take the place of others. */
  readonly swaps: ChunkSet;
  readonly random: () => number;
}

/** Which chunk of those that a source has should be fetched next. `fill`: there is room for anything. */
export class ChunkChoice {
  readonly #options: ChoiceOptions;

  constructor(options: ChoiceOptions) {
    this.#options = options;
  }

  /** The chunk fewest sources have that this one has and we want: of the window when there is one, else of all. */
  rarest(source: Source, fill: boolean): { chunk: number; copies: number } {
    const { reads, swaps } = this.#options;
    const inWindow = this.#rarestOf(source, reads.window.words);
    if (inWindow.chunk >= 0 || (!fill && swaps.count === 0)) return inWindow;
    return this.#rarestOf(source, this.#idle(fill));
  }

  /** The chunks we want that no other source has: those of the window when there are any, in the image's order. */
  onlyAt(source: Source, fill: boolean): readonly ChunkRange[] {
    const inWindow = this.#onlyAtWithin(source, this.#options.reads.window.words);
    return inWindow.length > 0 ? inWindow : this.#onlyAtWithin(source, this.#idle(fill));
  }

  /** What is fetched in idle time: anything while there is room (undefined), else what takes the place of others. */
  #idle(fill: boolean): Uint32Array | undefined {
    return fill ? undefined : this.#options.swaps.words;
  }

  #rarestOf(source: Source, within: Uint32Array | undefined): { chunk: number; copies: number } {
    const { copies: copiesOf, random } = this.#options;
    const { words } = source.has;
    const first = Math.floor(random() * words.length);
    let best = -1;
    let bestCopies = Number.POSITIVE_INFINITY;
    let ties = 0;
    let scanned = 0;
    for (let i = 0; i < words.length && scanned < SCAN_LIMIT; i++) {
      const index = (first + i) % words.length;
      let word = this.#candidates(source, index);
      if (within !== undefined) word &= within[index] as number;
      for (; word !== 0; word &= word - 1) {
        const chunk = (index << 5) + 31 - Math.clz32(word & -word);
        const copies = copiesOf[chunk] as number;
        scanned++;
        if (copies < bestCopies) {
          best = chunk;
          bestCopies = copies;
          ties = 1;
        } else if (copies === bestCopies && random() * ++ties < 1) best = chunk;
      }
    }
    return { chunk: best, copies: bestCopies };
  }

  #onlyAtWithin(source: Source, within: Uint32Array | undefined): readonly ChunkRange[] {
    const { copies } = this.#options;
    const chunks: number[] = [];
    let ranges = 0;
    for (let index = 0; index < source.has.words.length && ranges <= CHOICE_RANGES; index++) {
      let word = this.#candidates(source, index);
      if (within !== undefined) word &= within[index] as number;
      for (; word !== 0; word &= word - 1) {
        const chunk = (index << 5) + 31 - Math.clz32(word & -word);
        if ((copies[chunk] as number) > 1) continue;
        if (chunks.at(-1) !== chunk - 1) ranges++;
        chunks.push(chunk);
      }
    }
    return toRanges(chunks).slice(0, CHOICE_RANGES);
  }

  #candidates(source: Source, index: number): number {
    const { held, ordered } = this.#options;
    const has = source.has.words[index] as number;
    return has & ~(held.words[index] as number) & ~(ordered.words[index] as number);
  }
}
