import type { Lengths } from '../../event.ts';
import { type ChunkRange, ChunkSet, lowestBit } from '../../wire/chunk-set.ts';
import type { Copies } from './copies.ts';
import type { Imports } from './imports.ts';
import type { ReadQueue } from './read-queue.ts';
import type { Source } from './source.ts';

/** Candidates looked at to find the rarest one: all of a usual image, some in images of very many chunks. */
const SCAN_LIMIT = 4096;
const SCAN_LIMIT_LARGE = 256;
/** Of what a profile names, so many chunks are fetched in its order; those behind it as the field needs them. */
const NEAR = 8;
/** Ranges in a request that leaves the choice to the source. */
const CHOICE_RANGES = 64;
/** Chunks that are choice enough. */
const CHOICE_CHUNKS = 8192;

const NONE = { chunk: -1, copies: Number.POSITIVE_INFINITY };

/** What may be fetched that nobody waits for: anything, what takes the place of other chunks, nothing. */
export type Spare = 'anything' | 'swaps' | 'nothing';

export interface ChoiceOptions {
  readonly lengths: Pick<Lengths, 'count' | 'firstLike' | 'alike'>;
  readonly held: ChunkSet;
  /** Chunks on order somewhere. */
  readonly ordered: ChunkSet;
  readonly copies: Pick<Copies, 'counts' | 'shared'>;
  readonly reads: ReadQueue;
  /** Chunks to fetch in idle time although there is no room: they take the place of others. */
  readonly swaps: ChunkSet;
  /** Of all else, what to fetch in idle time; undefined: anything. */
  readonly duty?: ChunkSet | undefined;
  /** What may be fetched from another room. */
  readonly imports?: Imports | undefined;
  readonly random: () => number;
}

/** Which chunk of those that a source has should be fetched next. */
export class ChunkChoice {
  readonly #options: ChoiceOptions;
  /** Chunks that others are the same bytes as. */
  readonly #alike: ChunkSet;

  constructor(options: ChoiceOptions) {
    this.#options = options;
    this.#alike = new ChunkSet(options.lengths.count);
    for (const chunk of options.lengths.alike?.() ?? []) this.#alike.add(chunk);
  }

  /** The chunk that will be read soonest, as far as a profile tells, of those that a source has; -1 when there is none. */
  nextForeseen({ has }: Source): number {
    const { held, ordered, reads } = this.#options;
    let left = NEAR;
    for (const chunk of reads.foreseen) {
      if (left-- === 0) break;
      if (has.has(chunk) && !held.has(chunk) && !ordered.has(chunk)) return chunk;
    }
    return -1;
  }

  /** The chunk fewest sources have that this one has and we want: of the window when there is one, else of all. */
  rarest(source: Source, spare: Spare): { chunk: number; copies: number; isSpare: boolean } {
    const { window } = this.#options.reads;
    const inWindow = window.count === 0 ? NONE : this.#rarestOf(source, window);
    if (inWindow.chunk >= 0) return { ...inWindow, isSpare: false };
    return { ...this.rarestSpare(source, spare), isSpare: true };
  }

  /** Likewise of what nobody waits for. */
  rarestSpare(source: Source, spare: Spare): { chunk: number; copies: number } {
    return spare === 'nothing' ? NONE : this.#rarestOf(source, this.#idle(spare));
  }

  /**
   * The chunks we want that no other source has: those of the window when there are any, in the image's order. Of those
   * that are the same bytes one alone: the source, left the choice, would send each.
   */
  onlyAt(source: Source, spare: Spare): { ranges: readonly ChunkRange[]; isSpare: boolean } {
    const { window } = this.#options.reads;
    const inWindow = window.count === 0 ? [] : this.#onlyAtWithin(source, window);
    if (inWindow.length > 0 || spare === 'nothing') return { ranges: inWindow, isSpare: false };
    return { ranges: this.#onlyAtWithin(source, this.#idle(spare)), isSpare: true };
  }

  /** What is fetched in idle time: anything while there is room (undefined), else what takes the place of others. */
  #idle(spare: Spare): ChunkSet | undefined {
    const { duty, swaps } = this.#options;
    return spare === 'anything' ? duty : swaps;
  }

  #rarestOf(source: Source, within: ChunkSet | undefined): { chunk: number; copies: number } {
    const { copies: known, random } = this.#options;
    const copiesOf = known.counts;
    const { words } = source.has;
    const most = words.length * 32 > 2 * SCAN_LIMIT ? SCAN_LIMIT_LARGE : SCAN_LIMIT;
    const first = Math.floor(random() * words.length);
    let best = -1;
    let bestCopies = Number.POSITIVE_INFINITY;
    let ties = 0;
    let scanned = 0;
    for (const index of this.#wordsFrom(source, within, first)) {
      if (scanned >= most) break;
      let word = this.#candidates(source, index);
      if (within !== undefined) word &= within.words[index] as number;
      for (; word !== 0; word &= word - 1) {
        const chunk = (index << 5) + lowestBit(word);
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

  #onlyAtWithin(source: Source, within: ChunkSet | undefined): readonly ChunkRange[] {
    const shared = this.#options.copies.shared.words;
    const ranges: { start: number; end: number }[] = [];
    let open: { start: number; end: number } | undefined;
    let chunks = 0;
    const named = new Set<number>();
    for (const index of this.#wordsFrom(source, within, 0)) {
      let word = this.#candidates(source, index) & ~(shared[index] as number);
      if (within !== undefined) word &= within.words[index] as number;
      const first = index << 5;
      if (chunks > CHOICE_CHUNKS) return ranges;
      const alike = this.#alike.words[index] as number;
      if (word === -1 && alike === 0 && open?.end === first) {
        chunks += 32;
        open.end += 32;
        continue;
      }
      for (; word !== 0; word &= word - 1) {
        const chunk = first + lowestBit(word);
        if ((alike & word & -word) !== 0) {
          const group = this.#options.lengths.firstLike?.(chunk) ?? chunk;
          if (named.has(group)) continue;
          named.add(group);
        }
        chunks++;
        if (open?.end === chunk) open.end++;
        else {
          if (ranges.length >= CHOICE_RANGES) return ranges;
          open = { start: chunk, end: chunk + 1 };
          ranges.push(open);
        }
      }
    }
    return ranges;
  }

  /** Words of the source in which there may be candidates: those from `first` on, then those before it. */
  *#wordsFrom(source: Source, within: ChunkSet | undefined, first: number): Generator<number> {
    const { any } = source.has;
    const { full } = this.#options.held;
    const wanted = within?.any;
    const start = first >>> 5;
    const before = (1 << (first & 31)) - 1;
    for (let i = 0; i <= any.length; i++) {
      const at = (start + i) % any.length;
      let bits = (any[at] as number) & ~(full[at] as number);
      if (wanted !== undefined) bits &= wanted[at] as number;
      // The row that `first` lies in is gone through in two parts, the second one at the end.
      if (i === 0) bits &= ~before;
      else if (i === any.length) bits &= before;
      for (; bits !== 0; bits &= bits - 1) yield (at << 5) + lowestBit(bits);
    }
  }

  #candidates(source: Source, index: number): number {
    const { held, ordered, imports } = this.#options;
    const has = source.has.words[index] as number;
    const word = has & ~(held.words[index] as number) & ~(ordered.words[index] as number);
    return imports === undefined ? word : imports.mayTake(source, index, word);
  }
}
