/** A run of chunks, half-open. */
export interface ChunkRange {
  readonly start: number;
  readonly end: number;
}

/**
 * A changing set of chunk numbers in [0, size): one bit each, with its cardinality known at all times. Above the words of
 * 32 chunks lie two rows with a bit for each word, so that who looks for a few chunks among a million passes over 1024 at
 * a time.
 */
export class ChunkSet {
  readonly size: number;
  readonly words: Uint32Array;
  /** Bit i of word n: whether any chunk of `words[32 n + i]` is in the set. */
  readonly any: Uint32Array;
  /** Likewise: whether all 32 are. */
  readonly full: Uint32Array;
  #count = 0;

  constructor(size: number) {
    this.size = size;
    this.words = new Uint32Array((size + 31) >>> 5);
    this.any = new Uint32Array((this.words.length + 31) >>> 5);
    this.full = new Uint32Array(this.any.length);
  }

  static full(size: number): ChunkSet {
    const set = new ChunkSet(size);
    set.addRange({ start: 0, end: size });
    return set;
  }

  /** How many chunks are in the set. */
  get count(): number {
    return this.#count;
  }

  has(chunk: number): boolean {
    return chunk >= 0 && chunk < this.size && ((this.words[chunk >>> 5] as number) & (1 << (chunk & 31))) !== 0;
  }

  /** Adds a chunk; false when it was there already. Numbers outside of the set are not taken. */
  add(chunk: number): boolean {
    if (!(chunk >= 0 && chunk < this.size) || this.has(chunk)) return false;
    this.#set(chunk >>> 5, (this.words[chunk >>> 5] as number) | (1 << (chunk & 31)));
    this.#count++;
    return true;
  }

  /** Removes a chunk; false when it was not there. */
  delete(chunk: number): boolean {
    if (!this.has(chunk)) return false;
    this.#set(chunk >>> 5, (this.words[chunk >>> 5] as number) & ~(1 << (chunk & 31)));
    this.#count--;
    return true;
  }

  addRange({ start, end }: ChunkRange): void {
    for (let chunk = Math.max(0, start); chunk < Math.min(end, this.size); ) {
      if ((chunk & 31) === 0 && chunk + 32 <= end && chunk + 32 <= this.size) {
        const word = this.words[chunk >>> 5] as number;
        if (word !== 0xffffffff) {
          this.#count += 32 - popCount(word);
          this.#set(chunk >>> 5, 0xffffffff);
        }
        chunk += 32;
      } else this.add(chunk++);
    }
  }

  clear(): void {
    this.words.fill(0);
    this.any.fill(0);
    this.full.fill(0);
    this.#count = 0;
  }

  copy(): ChunkSet {
    const copy = new ChunkSet(this.size);
    copy.words.set(this.words);
    copy.any.set(this.any);
    copy.full.set(this.full);
    copy.#count = this.#count;
    return copy;
  }

  /** The first chunk at or after `from` that is in the set, or -1. */
  next(from: number): number {
    return this.#scan(from, 0);
  }

  /** The first chunk at or after `from` that is not in the set, or -1. */
  nextMissing(from: number): number {
    return this.#scan(from, 0xffffffff);
  }

  /** Every chunk of the set, ascending. The set may change meanwhile behind the chunk last given. */
  *[Symbol.iterator](): Generator<number> {
    for (let chunk = this.next(0); chunk >= 0; chunk = this.next(chunk + 1)) yield chunk;
  }

  /** The set as ascending runs that do not touch, within [start, end). */
  *ranges(start = 0, end = this.size): Generator<ChunkRange> {
    for (let from = this.next(start); from >= 0 && from < end; ) {
      const gap = this.nextMissing(from);
      const to = gap < 0 || gap > end ? end : gap;
      yield { start: from, end: to };
      from = to >= end ? -1 : this.next(to);
    }
  }

  /** How many chunks of [start, end) are in the set. */
  countIn({ start, end }: ChunkRange): number {
    if (start <= 0 && end >= this.size) return this.#count;
    let count = 0;
    for (let chunk = start; chunk < end; ) {
      if ((chunk & 31) === 0 && chunk + 32 <= end) {
        count += popCount(this.words[chunk >>> 5] as number);
        chunk += 32;
      } else if (this.has(chunk++)) count++;
    }
    return count;
  }

  #scan(from: number, inverted: number): number {
    if (from < 0) return this.#scan(0, inverted);
    if (from >= this.size) return -1;
    let index = from >>> 5;
    let word = ((this.words[index] as number) ^ inverted) & (0xffffffff << (from & 31));
    if (word === 0) {
      index = this.#nextWord(index + 1, inverted);
      if (index < 0) return -1;
      word = (this.words[index] as number) ^ inverted;
    }
    const chunk = (index << 5) + lowestBit(word);
    return chunk < this.size ? chunk : -1;
  }

  /** The first word at or after `from` that has a chunk (or, inverted, lacks one); -1 when there is none. */
  #nextWord(from: number, inverted: number): number {
    const row = inverted === 0 ? this.any : this.full;
    let at = from >>> 5;
    if (at >= row.length) return -1;
    let bits = ((row[at] as number) ^ inverted) & (0xffffffff << (from & 31));
    while (bits === 0) {
      if (++at >= row.length) return -1;
      bits = (row[at] as number) ^ inverted;
    }
    const index = (at << 5) + lowestBit(bits);
    return index < this.words.length ? index : -1;
  }

  #set(index: number, word: number): void {
    this.words[index] = word;
    const [at, bit] = [index >>> 5, 1 << (index & 31)];
    this.any[at] = word === 0 ? (this.any[at] as number) & ~bit : (this.any[at] as number) | bit;
    this.full[at] = word >>> 0 === 0xffffffff ? (this.full[at] as number) | bit : (this.full[at] as number) & ~bit;
  }
}

/** The number of the lowest bit that is set; `bits` is not 0. */
export function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function popCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return (((bits + (bits >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
