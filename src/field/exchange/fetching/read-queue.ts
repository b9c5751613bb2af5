import { type ChunkRange, ChunkSet } from '../../wire/chunk-set.ts';

/** Chunks ahead of a sequential reader: it doubles with every read that goes on where one before ended. */
const AHEAD_FIRST = 4;
const AHEAD_LIMIT = 128;
/** Readers followed at once: partitions of work as parallel copying programs make them. */
const STREAMS = 8;

interface Read {
  readonly chunks: ChunkRange;
  missing: number;
}

interface Stream {
  next: number;
  ahead: number;
}

/** The reads that are open, the chunks they wait for, and those that will probably be read next. */
export class ReadQueue {
  /** Chunks that reads wait for, or soon will. */
  readonly window: ChunkSet;
  /** Of these, what a profile names, what is read first before the rest. */
  readonly foreseen = new Set<number>();
  /**
   * Chunks of open reads, held or not. None of these may be dropped: a read across several chunks would otherwise wait
   * for one while it loses another, for ever.
   */
  readonly pinned: ChunkSet;
  readonly #held: ChunkSet;
  readonly #aheadLimit: (streams: number) => number;
  readonly #reads = new Map<number, Read>();
  /** How many open reads each pinned chunk has. */
  readonly #pins = new Map<number, number>();
  readonly #waiting = new Map<number, number[]>();
  readonly #streams: Stream[] = [];
  #waitingReads = 0;

  /**
   * @param aheadLimit chunks to read ahead of each of so many sequential readers, at most: there must be room to keep them
   * until then
   */
  constructor(held: ChunkSet, aheadLimit: (streams: number) => number = () => AHEAD_LIMIT) {
    this.#held = held;
    this.#aheadLimit = aheadLimit;
    this.window = new ChunkSet(held.size);
    this.pinned = new ChunkSet(held.size);
  }

  /** Reads that wait. */
  get length(): number {
    return this.#waitingReads;
  }

  waitsFor(chunk: number): boolean {
    return this.#waiting.has(chunk);
  }

  /** Takes a read; true when everything it needs is there. It is open, and its chunks pinned, until `remove`. */
  add(read: number, chunks: ChunkRange): boolean {
    this.remove(read);
    this.#follow(chunks);
    let missing = 0;
    for (let chunk = chunks.start; chunk < chunks.end; chunk++) {
      this.pinned.add(chunk);
      this.#pins.set(chunk, (this.#pins.get(chunk) ?? 0) + 1);
      if (this.#held.has(chunk)) continue;
      missing++;
      this.window.add(chunk);
      const readers = this.#waiting.get(chunk);
      if (readers === undefined) this.#waiting.set(chunk, [read]);
      else readers.push(read);
    }
    this.#reads.set(read, { chunks, missing });
    if (missing > 0) this.#waitingReads++;
    return missing === 0;
  }

  /** The read has been answered, or given up. */
  remove(read: number): void {
    const found = this.#reads.get(read);
    if (found === undefined) return;
    this.#reads.delete(read);
    if (found.missing > 0) this.#waitingReads--;
    for (let chunk = found.chunks.start; chunk < found.chunks.end; chunk++) {
      const pins = (this.#pins.get(chunk) ?? 1) - 1;
      if (pins > 0) this.#pins.set(chunk, pins);
      else {
        this.#pins.delete(chunk);
        this.pinned.delete(chunk);
      }
      const readers = this.#waiting.get(chunk)?.filter((other) => other !== read);
      if (readers === undefined) continue;
      if (readers.length > 0) this.#waiting.set(chunk, readers);
      else this.#waiting.delete(chunk);
    }
  }

  /** A chunk will be read, and after those foreseen before it. False when it was wanted already. */
  foresee(chunk: number): boolean {
    if (!this.window.add(chunk)) return false;
    this.foreseen.add(chunk);
    return true;
  }

  /** A chunk is there; gives the reads that now have all they need. */
  arrived(chunk: number): number[] {
    this.window.delete(chunk);
    this.foreseen.delete(chunk);
    const readers = this.#waiting.get(chunk);
    if (readers === undefined) return [];
    this.#waiting.delete(chunk);
    return readers.filter((read) => {
      const found = this.#reads.get(read);
      if (found === undefined || --found.missing > 0) return false;
      this.#waitingReads--;
      return true;
    });
  }

  /** A chunk that was held is gone (its medium failed): reads that have not been answered wait for it again. */
  lost(chunk: number): void {
    if (!this.pinned.has(chunk) || this.#waiting.has(chunk)) return;
    const readers: number[] = [];
    for (const [read, found] of this.#reads) {
      // Who had everything has been told so, finds out by itself and comes back.
      if (found.missing === 0 || chunk < found.chunks.start || chunk >= found.chunks.end) continue;
      found.missing++;
      readers.push(read);
    }
    if (readers.length === 0) return;
    this.window.add(chunk);
    this.#waiting.set(chunk, readers);
  }

  /** Chunks that reads wait for, those of the oldest read first. */
  *waitedChunks(): Generator<number> {
    // A Map keeps the order of insertion.
    yield* this.#waiting.keys();
  }

  #follow({ start, end }: ChunkRange): void {
    // Reads that were answered from memory are not seen here: a stream goes on wherever it comes out again.
    const at = this.#streams.findIndex(({ next, ahead }) => start >= next - 1 && start <= next + ahead);
    const stream = at < 0 ? { next: end, ahead: 0 } : (this.#streams.splice(at, 1)[0] as Stream);
    if (at >= 0 && end > stream.next) {
      stream.ahead = Math.min(Math.max(AHEAD_FIRST, stream.ahead * 2), AHEAD_LIMIT);
    }
    stream.next = Math.max(end, stream.next);
    this.#streams.unshift(stream);
    this.#streams.length = Math.min(this.#streams.length, STREAMS);
    stream.ahead = Math.min(stream.ahead, Math.floor(this.#aheadLimit(this.#streams.length)));
    for (let chunk = end; chunk < Math.min(end + stream.ahead, this.#held.size); chunk++) {
      if (!this.#held.has(chunk)) this.window.add(chunk);
    }
  }
}
