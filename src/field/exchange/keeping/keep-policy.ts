import type { Lengths } from '../../event.ts';
import { ChunkSet } from '../../wire/chunk-set.ts';

/** A chunk is given up for another only when others hold it this many times more often, */
const MARGIN = 2;
/** or so many times, when at most one of them holds the other, which one failure would then take from the field. */
const MARGIN_OF_THE_LAST = 1;
/** Bytes of chunks that stay for a while although there is no room: read ahead, or read and perhaps read on. */
const LINGER = 4 << 20;

/** A disk that could not be written is tried again after so long, and twice as long after each time. */
const FULL_MS = 60_000;
const FULL_MOST_MS = 3_600_000;

/** How often the others hold a chunk. */
export type CopiesOf = (chunk: number) => number;

/** Times are kept in 32 bits, and machines run for more than the 49 days that milliseconds give. */
const TICK_MS = 64;

/** Of very many chunks, so many are compared at a time. */
const SORTED = 4096;

/** How often others must hold what is given up for a chunk that they hold `copies` times. */
export function enoughFor(copies: number): number {
  return copies + (copies <= 1 ? MARGIN_OF_THE_LAST : MARGIN);
}

/**
 * What a node keeps within its budget: what it drops first is what the field holds most of, what it fetches in idle
 * time first what the field holds least of.
 */
export class KeepPolicy {
  readonly #lengths: Lengths;
  readonly #held: ChunkSet;
  readonly #wanted: number;
  #budget: number;
  #fullUntil = Number.POSITIVE_INFINITY;
  #fullFor = 0;
  /** Chunks that are not counted because a local medium holds them, or because they are borrowed. */
  readonly #free: ChunkSet;
  /**
   * Chunks that found no room and are here for the reads that need them, the oldest first. They are not announced:
   * nobody shall drop his own because of them.
   */
  readonly #borrowed = new Map<number, number>();
  #borrowedBytes = 0;
  /** The disk that chunks go to does not keep up: for now there is no room for more. */
  isBehind = false;
  /** Of those that are borrowed, what came when the disk was behind. */
  readonly #late = new Set<number>();
  #passedOver = 0;
  /** When each chunk last served a read, in ticks: of two that the field holds alike, the staler goes. */
  readonly #used: Uint32Array;
  #bytes = 0;
  /** Held chunks as `#byUselessness` sorted them: good until the counts change or it is used up. */
  #order: readonly number[] = [];
  #orderFor: CopiesOf | undefined;
  #orderedAt = 0;
  #turn = -1;
  #now = 0;

  constructor(lengths: Lengths, held: ChunkSet, budget: number) {
    this.#lengths = lengths;
    this.#held = held;
    this.#wanted = budget;
    this.#budget = budget;
    this.#free = new ChunkSet(lengths.count);
    this.#used = new Uint32Array(lengths.count);
  }

  /** Bytes held that count against the budget. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True when more than the image fits: nothing is ever dropped. */
  get holdsAll(): boolean {
    return this.#budget >= this.#lengths.size;
  }

  /** Chunks that came and were not kept because the disk was behind; those that are still here may be. */
  get passedOver(): number {
    return this.#passedOver + this.#late.size;
  }

  /** A chunk that has come is not kept. */
  passOver(): void {
    if (this.isBehind) this.#passedOver++;
  }

  /** There turned out to be room for no more than what is held. True when that is news. */
  isFull(now: number): boolean {
    const isNews = this.#budget === this.#wanted;
    this.#budget = Math.min(this.#budget, this.#bytes);
    if (isNews) this.#fullFor = Math.min(Math.max(FULL_MS, this.#fullFor * 2), FULL_MOST_MS);
    this.#fullUntil = now + this.#fullFor;
    return isNews;
  }

  /** Room may have been made meanwhile. */
  tryAgain(now: number): void {
    if (now < this.#fullUntil) return;
    this.#fullUntil = Number.POSITIVE_INFINITY;
    this.#budget = this.#wanted;
  }

  /** What a local medium holds costs nothing. */
  setFree(chunk: number): void {
    this.#free.add(chunk);
  }

  /** It is held from now on, although there is no room for it. */
  borrow(chunk: number, now: number): void {
    this.#free.add(chunk);
    this.#borrowed.set(chunk, this.#lengths.length(chunk));
    this.#borrowedBytes += this.#lengths.length(chunk);
    if (this.isBehind) this.#late.add(chunk);
    this.used(chunk, now);
  }

  /** Something is here for which there is no room. */
  get isLending(): boolean {
    return this.#borrowed.size > 0;
  }

  /** Borrowed chunks for which there is room by now: they are counted, and may be announced, from here on. */
  settle(): number[] {
    const settled: number[] = [];
    for (const [chunk, bytes] of this.#borrowed) {
      if (!this.hasRoom(bytes)) break;
      settled.push(chunk);
      this.#free.delete(chunk);
      this.#bytes += bytes;
      this.#late.delete(chunk);
      this.#giveBack(chunk);
    }
    return settled;
  }

  #giveBack(chunk: number): void {
    this.#borrowedBytes -= this.#borrowed.get(chunk) ?? 0;
    this.#borrowed.delete(chunk);
  }

  added(chunk: number, now: number): void {
    if (!this.#free.has(chunk)) this.#bytes += this.#lengths.length(chunk);
    this.used(chunk, now);
  }

  removed(chunk: number): void {
    this.#giveBack(chunk);
    if (this.#late.delete(chunk)) this.#passedOver++;
    if (!this.#free.delete(chunk)) this.#bytes -= this.#lengths.length(chunk);
  }

  used(chunk: number, now: number): void {
    this.#now = Math.floor(now / TICK_MS);
    this.#used[chunk] = this.#now;
  }

  /** Whether there is room for so many bytes more without dropping anything. */
  hasRoom(bytes: number): boolean {
    return !this.isBehind && this.#bytes + bytes <= this.#budget;
  }

  /**
   * What to drop to make room for a chunk; undefined when it is not worth keeping.
   * @param copies how often the others hold each chunk
   * @param pinned what must not go: it is about to be read
   * @param demanded a read asked for it: it is worth more than anything the field has elsewhere
   * @param isSafe whether a chunk may be dropped although all others drop what they may at the same time
   */
  planRoom(
    chunk: number,
    demanded: boolean,
    copies: CopiesOf,
    pinned: Pick<ChunkSet, 'has'>,
    isSafe: (chunk: number) => boolean = () => true,
  ): number[] | undefined {
    if (this.isBehind) return undefined;
    const needed = this.#bytes + this.#lengths.length(chunk) - this.#budget;
    if (needed <= 0) return [];
    const worth = copies(chunk);
    const mayGo = (victim: number): boolean => {
      const others = copies(victim);
      return others > 0 && (demanded || others >= enoughFor(worth)) && isSafe(victim);
    };
    return this.#collect(needed, copies, pinned, mayGo);
  }

  /** Borrowed chunks that have been here for long enough, the last one never: it may be on its way to somebody. */
  planReturn(pinned: Pick<ChunkSet, 'has'>): number[] {
    const victims: number[] = [];
    let over = this.#borrowedBytes - LINGER;
    for (const [chunk, bytes] of this.#borrowed) {
      if (over <= 0 || victims.length + 1 >= this.#borrowed.size) break;
      if (pinned.has(chunk)) continue;
      victims.push(chunk);
      over -= bytes;
    }
    return victims;
  }

  /** What to drop to come back within the budget, as far as that is safe for the field. */
  planTrim(copies: CopiesOf, pinned: Pick<ChunkSet, 'has'>, isSafe: (chunk: number) => boolean = () => true): number[] {
    const victims = this.planReturn(pinned);
    const needed = this.#bytes - this.#budget;
    if (needed <= 0) return victims;
    const isUseless = (chunk: number): boolean => copies(chunk) > 0 && isSafe(chunk);
    return [...victims, ...(this.#collect(needed, copies, pinned, isUseless, true) ?? [])];
  }

  /**
   * Chunks worth `needed` bytes, the field's best provided first; undefined (or as many as there are) when there are
   * not enough. Sorting everything with every chunk would be dear, so an old order is used while it serves.
   */
  #collect(
    needed: number,
    copies: CopiesOf,
    pinned: Pick<ChunkSet, 'has'>,
    mayGo: (chunk: number) => boolean,
    takeLess = false,
  ): number[] | undefined {
    for (let isFresh = copies !== this.#orderFor; ; isFresh = true) {
      if (isFresh) this.#sort(copies);
      const victims: number[] = [];
      let left = needed;
      for (const victim of this.#order) {
        if (!this.#held.has(victim) || !mayGo(victim) || pinned.has(victim)) continue;
        if (!isFresh && (this.#used[victim] as number) > this.#orderedAt) continue;
        victims.push(victim);
        left -= this.#lengths.length(victim);
        if (left <= 0) return victims;
      }
      if (isFresh) return takeLess ? victims : undefined;
    }
  }

  #sort(copies: CopiesOf): void {
    this.#order = this.#byUselessness(copies);
    this.#orderFor = copies;
    this.#orderedAt = this.#now;
  }

  /** Held chunks that count. */
  *counted(): Generator<number> {
    for (const chunk of this.#held) if (!this.#free.has(chunk)) yield chunk;
  }

  /** All that count, or when there are very many the next ones in turn. */
  #some(): number[] {
    if (this.#held.count <= 2 * SORTED) return [...this.counted()];
    const some: number[] = [];
    for (let looked = 0; looked < 4 * SORTED && some.length < SORTED; looked++) {
      this.#turn = this.#held.next(this.#turn + 1);
      if (this.#turn >= 0 && !this.#free.has(this.#turn)) some.push(this.#turn);
    }
    return some;
  }

  /** Held chunks that count, the one the field can best do without first. */
  #byUselessness(copies: CopiesOf): number[] {
    return this.#some().sort(
      (a, b) =>
        // By powers of two: among chunks the field holds about alike, the one read longest ago goes.
        Math.clz32(copies(a)) - Math.clz32(copies(b)) || (this.#used[a] as number) - (this.#used[b] as number),
    );
  }
}
