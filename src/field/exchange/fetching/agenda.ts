import type { ChunkSet } from '../../wire/chunk-set.ts';

/** Chunks that are fetched ahead at first; with each that is used more, with each read of another less. */
const AHEAD_FIRST = 4;
const AHEAD_MOST = 64;
/** Reads of others in a row, as it were, after which the profile is taken for a wrong one. */
const PATIENCE = 24;

/**
 * The chunks that a boot will read next, as those before it did, and how many of them to fetch ahead. What is really read
 * says how good the list is: one that is right runs far ahead, one that is wrong costs a few chunks and is let go. Pure.
 */
export class Agenda {
  readonly #order: readonly number[];
  readonly #place = new Map<number, number>();
  readonly #held: Pick<ChunkSet, 'has'>;
  #ahead = AHEAD_FIRST;
  #doubt = 0;
  #at = 0;
  #hits = 0;
  #misses = 0;

  /** @param order chunks, first read first; none twice */
  constructor(order: readonly number[], held: Pick<ChunkSet, 'has'>) {
    this.#order = order;
    this.#held = held;
    for (const [place, chunk] of order.entries()) this.#place.set(chunk, place);
  }

  /** Nothing more is to come of it. */
  get isOver(): boolean {
    return this.#at >= this.#order.length || this.#doubt >= PATIENCE;
  }

  get score(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }

  /** A chunk is read for the first time. */
  read(chunk: number): void {
    const place = this.#place.get(chunk);
    if (place === undefined) {
      this.#misses++;
      this.#doubt++;
      this.#ahead = Math.max(1, this.#ahead >> 1);
      return;
    }
    this.#hits++;
    this.#doubt = Math.max(0, this.#doubt - 2);
    this.#ahead = Math.min(AHEAD_MOST, this.#ahead + Math.max(1, this.#ahead >> 1));
  }

  /** Chunks to have fetched now, beside those that were given before and have not come. @param most how many have room */
  next(most: number): readonly number[] {
    if (this.isOver) return [];
    const wanted: number[] = [];
    const limit = Math.min(this.#ahead, most);
    let isBehind = true;
    for (let at = this.#at; at < this.#order.length && wanted.length < limit; at++) {
      const chunk = this.#order[at] as number;
      if (!this.#held.has(chunk)) {
        wanted.push(chunk);
        isBehind = false;
      } else if (isBehind) this.#at = at + 1;
    }
    return wanted;
  }
}
