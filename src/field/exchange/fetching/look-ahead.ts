import type { Stock } from '../stock.ts';

/** Chunks that are fetched ahead at first; with each that is used more, with each read of another less. */
const AHEAD_FIRST = 4;
const AHEAD_MOST = 64;
/** Bytes that are fetched ahead though there is no room to keep them. */
const AHEAD_BYTES = 2 << 20;
/**
 * Chunks fetched ahead that were not read, beside two for each that was: who names all of the image in a false order is
 * never caught by reads of others.
 */
const UNREAD_MOST = 256;
/** Chunks that are here and are still gone through with every chunk that comes, at most. */
const PASSED_MOST = 1024;
/** Reads of others in a row, as it were, after which the profile is taken for a wrong one. */
const PATIENCE = 24;

/**
 * The chunks that a boot will read next, as those before it did, and how many of them to fetch ahead. What is really read
 * says how good the list is: one that is right runs far ahead, one that is wrong costs a few chunks and is let go.
 */
export class LookAhead {
  readonly #stock: Pick<Stock, 'held' | 'reads' | 'keep' | 'lengths'>;
  #order: readonly number[];
  readonly #named: ReadonlySet<number>;
  #ahead = AHEAD_FIRST;
  #doubt = 0;
  /** Chunks before it are held. */
  #at = 0;
  #hits = 0;
  #misses = 0;
  /** Chunks that were wanted for nothing but the list's word. */
  #brought = 0;

  /** @param order chunks, first read first; none twice */
  constructor(stock: Pick<Stock, 'held' | 'reads' | 'keep' | 'lengths'>, order: readonly number[]) {
    this.#stock = stock;
    this.#order = order;
    this.#named = new Set(order);
  }

  /** Nothing more is to come of it. */
  get isOver(): boolean {
    return this.#at >= this.#order.length || this.isWrong;
  }

  /** What is read says that it is no profile of this boot. */
  get isWrong(): boolean {
    return this.#doubt >= PATIENCE;
  }

  /** What became of it, for the log. */
  get verdict(): string {
    const how = this.isWrong ? 'is let go: others are read' : 'is all here';
    return `profile: what it names ${how} (${this.#hits} of its chunks were read, ${this.#misses} others)`;
  }

  /** A chunk is read for the first time. */
  read(chunk: number): void {
    if (this.#named.has(chunk)) {
      this.#hits++;
      this.#doubt = Math.max(0, this.#doubt - 2);
      this.#ahead = Math.min(AHEAD_MOST, this.#ahead + Math.max(1, this.#ahead >> 1));
      return;
    }
    this.#misses++;
    this.#doubt++;
    this.#ahead = Math.max(1, this.#ahead >> 1);
  }

  /** Has the next chunks wanted. @returns whether any was added */
  fill(): boolean {
    if (this.isOver) return false;
    const { held, reads, keep, lengths } = this.#stock;
    const most = keep.hasRoom(AHEAD_MOST * (lengths.size / lengths.count))
      ? this.#ahead
      : Math.min(this.#ahead, Math.floor(AHEAD_BYTES / (lengths.size / lengths.count)));
    let wanted = 0;
    let isNew = false;
    let passed = 0;
    for (let at = this.#at; at < this.#order.length && wanted < most; at++) {
      const chunk = this.#order[at] as number;
      if (held.has(chunk)) {
        if (at === this.#at) this.#at++;
        else passed++;
        continue;
      }
      wanted++;
      if (reads.window.has(chunk)) continue;
      if (this.#brought >= UNREAD_MOST + 2 * this.#hits) break;
      this.#brought++;
      isNew = reads.window.add(chunk);
    }
    // One that nobody has must not have all behind it looked at for ever.
    if (passed > PASSED_MOST) {
      this.#order = this.#order.slice(this.#at).filter((chunk) => !held.has(chunk));
      this.#at = 0;
    }
    return isNew;
  }
}
