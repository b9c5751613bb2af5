import type { Stock } from '../stock.ts';

/** Chunks that are wanted and not here, at most. */
const AHEAD_MOST = 64;
/** Before anything is read the line is free: so many are wanted at a time then, and so many come in all. */
const AT_ONCE_FIRST = 4;
const FIRST_MOST = 256;
/** Then each that nobody reads is a delay of those that are: so many come before anything has shown that they are read. */
const UNPROVEN = 2;
/** Bytes that are fetched ahead though there is no room to keep them. */
const AHEAD_BYTES = 2 << 20;
/** Chunks that are here and are still gone through with every chunk that comes, at most. */
const PASSED_MOST = 1024;
/** Reads of others in a row, as it were, after which the profile is taken for a wrong one. */
const PATIENCE = 24;
/**
 * After so many chunks were read and as many fetched ahead, fewer than one in four of which was read, it is a wrong one too: who
 * names all of an image in a false order is never caught by reads of others, and keeps others' profiles from being used.
 */
const JUDGED = 256;
const READ_OF = 4;

/**
 * The chunks that a boot will read next, as those before it did, and how many of them to fetch ahead. What is really read
 * says how good the list is: one that is right runs far ahead, one that is wrong costs a few chunks and is let go.
 */
export class LookAhead {
  readonly #stock: Pick<Stock, 'held' | 'reads' | 'keep' | 'lengths'>;
  #order: readonly number[];
  readonly #named: ReadonlySet<number>;
  #doubt = 0;
  /** Chunks before it are held. */
  #at = 0;
  #hits = 0;
  #misses = 0;
  /** Chunks that were wanted for nothing but the list's word, and are not read yet. */
  readonly #unread = new Set<number>();
  /** Of these, how many were read. */
  #used = 0;

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
    return this.#doubt >= PATIENCE || this.#isUseless;
  }

  get #isUseless(): boolean {
    const brought = this.#used + this.#unread.size;
    return this.#hits + this.#misses >= JUDGED && brought >= JUDGED && this.#used * READ_OF < brought;
  }

  /** What became of it, for the log. */
  get verdict(): string {
    const how = this.isWrong ? 'is let go: it is not what is read' : 'is all here';
    return `profile: what it names ${how} (${this.#hits} of its chunks were read, ${this.#misses} others)`;
  }

  /** A chunk is read for the first time. */
  read(chunk: number): void {
    if (this.#unread.delete(chunk)) this.#used++;
    if (this.#named.has(chunk)) {
      this.#hits++;
      this.#doubt = Math.max(0, this.#doubt - 2);
      return;
    }
    this.#misses++;
    this.#doubt++;
  }

  /**
   * How many may be ahead of the reads: as many as were read of those before, so that no more than half comes in vain; and as
   * reads of what the list names outnumber the others, for a boot that reads it in another order.
   */
  get #allowance(): number {
    if (!this.#isReading) return FIRST_MOST;
    return UNPROVEN + this.#used + Math.max(0, this.#hits - this.#misses);
  }

  get #isReading(): boolean {
    return this.#hits + this.#misses > 0;
  }

  /** Has the next chunks wanted. @returns whether any was added */
  fill(): boolean {
    if (this.isOver) return false;
    const { held, reads, keep, lengths } = this.#stock;
    const mean = lengths.size / lengths.count;
    const atOnce = this.#isReading ? AHEAD_MOST : AT_ONCE_FIRST;
    const most = keep.hasRoom(AHEAD_MOST * mean) ? atOnce : Math.min(atOnce, Math.floor(AHEAD_BYTES / mean));
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
      if (this.#unread.size >= this.#allowance) break;
      this.#unread.add(chunk);
      isNew = reads.foresee(chunk) || isNew;
    }
    // One that nobody has must not have all behind it looked at for ever.
    if (passed > PASSED_MOST) {
      this.#order = this.#order.slice(this.#at).filter((chunk) => !held.has(chunk));
      this.#at = 0;
    }
    return isNew;
  }
}
