import { type ChunkRange, ChunkSet } from './chunk-set.ts';

/** Chunks ahead of a sequential reader: it doubles with every read that goes on where one before ended. */
const AHEAD_FIRST = 4;
const AHEAD_LIMIT = 128;
/** Readers followed at once: partitions of work as parallel copying programs make them. */
const STREAMS = 8;

interface Waiting {
  readonly chunks: ChunkRange;
  missing: number;
}

interface Stream {
  next: number;
  ahead: number;
}

/** The reads that wait, the chunks they wait for, and those that will probably be read next. */
export class ReadQueue {
  /** Chunks that reads wait for, or soon will. */
  readonly window: ChunkSet;
  readonly #held: ChunkSet;
  readonly #reads = new Map<number, Waiting>();
  readonly #waiting = new Map<number, number[]>();
  readonly #streams: Stream[] = [];

  constructor(held: ChunkSet) {
    this.#held = held;
    this.window = new ChunkSet(held.size);
  }

  /** Reads that wait. */
  get length(): number {
    return this.#reads.size;
  }

  waitsFor(chunk: number): boolean {
    return this.#waiting.has(chunk);
  }

  /** Takes a read; true when everything it needs is there. */
  add(read: number, chunks: ChunkRange): boolean {
    this.#follow(chunks);
    let missing = 0;
    for (let chunk = chunks.start; chunk < chunks.end; chunk++) {
      if (this.#held.has(chunk)) continue;
      missing++;
      this.window.add(chunk);
      const readers = this.#waiting.get(chunk);
      if (readers === undefined) this.#waiting.set(chunk, [read]);
      else readers.push(read);
    }
    if (missing === 0) return true;
    this.#reads.set(read, { chunks, missing });
    return false;
  }

  remove(read: number): void {
    const waiting = this.#reads.get(read);
    if (waiting === undefined) return;
    this.#reads.delete(read);
    for (let chunk = waiting.chunks.start; chunk < waiting.chunks.end; chunk++) {
      const readers = this.#waiting.get(chunk)?.filter((other) => other !== read);
      if (readers === undefined) continue;
      if (readers.length > 0) this.#waiting.set(chunk, readers);
      else this.#waiting.delete(chunk);
    }
  }

  /** A chunk is there; gives the reads that now have all they need. */
  arrived(chunk: number): number[] {
    this.window.delete(chunk);
    const readers = this.#waiting.get(chunk);
    if (readers === undefined) return [];
    this.#waiting.delete(chunk);
    return readers.filter((read) => {
      const waiting = this.#reads.get(read);
      if (waiting === undefined || --waiting.missing > 0) return false;
      this.#reads.delete(read);
      return true;
    });
  }

  /** A chunk that had arrived is gone again while other chunks of the same read are still missing. */
  *waitedChunks(): Generator<number> {
    // A Map keeps the order of insertion: the oldest read's chunks come first.
    yield* this.#waiting.keys();
  }

  #follow({ start, end }: ChunkRange): void {
    const at = this.#streams.findIndex(({ next }) => start === next || start === next - 1);
    const stream = at < 0 ? { next: end, ahead: 0 } : (this.#streams.splice(at, 1)[0] as Stream);
    if (at >= 0 && end > stream.next) stream.ahead = Math.min(Math.max(AHEAD_FIRST, stream.ahead * 2), AHEAD_LIMIT);
    stream.next = Math.max(end, stream.next);
    this.#streams.unshift(stream);
    this.#streams.length = Math.min(this.#streams.length, STREAMS);
    for (let chunk = end; chunk < Math.min(end + stream.ahead, this.#held.size); chunk++) {
      if (!this.#held.has(chunk)) this.window.add(chunk);
    }
  }
}
