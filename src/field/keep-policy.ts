import { ChunkSet } from './chunk-set.ts';
import type { Lengths } from './event.ts';

/** A chunk is given up for another only when the field holds it this many times more often. */
const MARGIN = 2;

/**
 * What a node keeps within its budget: what it drops first is what the field holds most of, what it fetches in idle
 * time first what the field holds least of.
 */
export class KeepPolicy {
  readonly #lengths: Lengths;
  readonly #held: ChunkSet;
  readonly #budget: number;
  /** Chunks that are not counted because a local medium holds them. */
  readonly #free: ChunkSet;
  /** When each chunk last served a read: of two that the field holds alike, the staler goes. */
  readonly #used: Float64Array;
  #bytes = 0;

  constructor(lengths: Lengths, held: ChunkSet, budget: number) {
    this.#lengths = lengths;
    this.#held = held;
    this.#budget = budget;
    this.#free = new ChunkSet(lengths.count);
    this.#used = new Float64Array(lengths.count);
  }

  /** Bytes held that count against the budget. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True when more than the image fits: nothing is ever dropped. */
  get holdsAll(): boolean {
    return this.#budget >= this.#lengths.size;
  }

  /** What a local medium holds costs nothing. */
  setFree(chunk: number): void {
    this.#free.add(chunk);
  }

  added(chunk: number, now: number): void {
    if (!this.#free.has(chunk)) this.#bytes += this.#lengths.length(chunk);
    this.#used[chunk] = now;
  }

  removed(chunk: number): void {
    if (!this.#free.delete(chunk)) this.#bytes -= this.#lengths.length(chunk);
  }

  used(chunk: number, now: number): void {
    this.#used[chunk] = now;
  }

  /** Whether there is room for so many bytes more without dropping anything. */
  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.#budget;
  }

  /**
   * What to drop to make room for a chunk; undefined when it is not worth keeping.
   * @param copies how often the others hold each chunk
   * @param pinned what must not go: it is about to be read
   * @param demanded a read asked for it: it is worth more than anything the field has elsewhere
   */
  planRoom(chunk: number, demanded: boolean, copies: Uint16Array, pinned: ChunkSet): number[] | undefined {
    const needed = this.#bytes + this.#lengths.length(chunk) - this.#budget;
    if (needed <= 0) return [];
    const worth = copies[chunk] as number;
    const victims: number[] = [];
    let freed = 0;
    for (const victim of this.#byUselessness(copies)) {
      if (pinned.has(victim)) continue;
      const others = copies[victim] as number;
      if (others === 0 || (!demanded && others < worth + MARGIN)) continue;
      victims.push(victim);
      freed += this.#lengths.length(victim);
      if (freed >= needed) return victims;
    }
    return undefined;
  }

  /** What to drop to come back within the budget: also what the field may hold nowhere else, if there is no other way. */
  planTrim(copies: Uint16Array, pinned: ChunkSet): number[] {
    const victims: number[] = [];
    let left = this.#bytes - this.#budget;
    for (const victim of left > 0 ? this.#byUselessness(copies) : []) {
      if (left <= 0) break;
      if (pinned.has(victim)) continue;
      victims.push(victim);
      left -= this.#lengths.length(victim);
    }
    return victims;
  }

  /** Held chunks that count, the one the field can best do without first. */
  #byUselessness(copies: Uint16Array): number[] {
    const counted = [...this.#held].filter((chunk) => !this.#free.has(chunk));
    return counted.sort(
      (a, b) =>
        // By powers of two: among chunks the field holds about alike, the one read longest ago goes.
        Math.clz32(copies[a] as number) - Math.clz32(copies[b] as number) ||
        (this.#used[a] as number) - (this.#used[b] as number),
    );
  }
}
