/**
 * Content-defined chunking, cutting where casync cuts (src/cachunker.c): a rolling hash ("buzhash") over the last 48
 * bytes; a chunk ends behind the first byte at which it is at least `min` long and hash mod d = d - 1, or at `max`.
 * So the same content is cut the same way wherever it lies, and an updated image shares its unchanged chunks.
 */
import { BUZHASH_TABLE } from './buzhash-table.ts';
import { CHUNK_SIZE_LIMIT, type ChunkSizes } from './chunk-index.ts';

const WINDOW = 48;
const ENTER = Int32Array.from(BUZHASH_TABLE);
/** What a byte contributes when it leaves the window, by then rotated as many times as the window is long. */
const LEAVE = ENTER.map((word) => (word << (WINDOW % 32)) | (word >>> (32 - (WINDOW % 32))));

/** When a hash cuts: see cutRule. */
interface CutRule {
  readonly discriminator: number;
  readonly inverse: number;
  readonly limit: number;
}

/** Finds the ends of chunks. */
export class Chunker {
  readonly #sizes: ChunkSizes;
  readonly #rule: CutRule;

  /** @throws RangeError when `sizes` are out of order or smaller than the window of 48 bytes */
  constructor(sizes: ChunkSizes) {
    const { min, avg, max } = sizes;
    if (!(min >= WINDOW && min <= avg && avg <= max && max <= CHUNK_SIZE_LIMIT)) {
      throw new RangeError(`cannot cut chunks of ${min}:${avg}:${max} bytes`);
    }
    this.#sizes = sizes;
    this.#rule = cutRule(sizes);
  }

  /**
   * The length of the chunk that begins at `start`.
   * @param end one past the last byte to look at: the end of the stream, or at least `start` + max
   */
  next(bytes: Uint8Array, start: number, end: number): number {
    const { min, max } = this.#sizes;
    const longest = Math.min(end - start, max);
    // Of one size: casync then does not look at the content at all.
    return longest <= min || min === max ? longest : scan(bytes, start, min, longest, this.#rule);
  }
}

/**
 * The hot loop, a little over a nanosecond per byte. The hash depends on nothing but the window, so the first bytes of
 * a chunk, where it must not be cut anyway, are never looked at.
 */
function scan(bytes: Uint8Array, start: number, min: number, max: number, rule: CutRule): number {
  const { discriminator, inverse, limit } = rule;
  const last = start + max;
  let enter = start + min;
  let leave = enter - WINDOW;
  let hash = 0;
  for (let i = leave; i < enter; i++) {
    hash = ((hash << 1) | (hash >>> 31)) ^ (ENTER[bytes[i] as number] as number);
  }
  for (;;) {
    const mayCut = Math.imul(hash + 1, inverse) >>> 0 <= limit;
    if (mayCut && (hash >>> 0) % discriminator === discriminator - 1) return enter - start;
    if (enter === last) return max;
    const left = LEAVE[bytes[leave++] as number] as number;
    const entered = ENTER[bytes[enter++] as number] as number;
    hash = ((hash << 1) | (hash >>> 31)) ^ left ^ entered;
  }
}

/**
 * Casync cuts where hash mod d = d - 1, that is where d divides hash + 1. A division per byte would take most of the
 * time. But n is a multiple of an odd number exactly when n · (1 / odd mod 2^32) is at most (2^32 - 1) / odd (Hacker's
 * Delight, 10-17), so d's odd part tells by one multiplication where the division is worth it.
 */
function cutRule({ min, avg, max }: ChunkSizes): CutRule {
  // Casync's own fit, to correct for chunks coming out some 1.3 times as long as the plain average.
  const fitted = Math.trunc(avg / (-1.42888852e-7 * avg + 1.33237515));
  const discriminator = Math.min(Math.max(fitted, min), max);
  const odd = discriminator / (discriminator & -discriminator);
  let inverse = odd;
  for (let bits = 3; bits < 32; bits *= 2) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  return { discriminator, inverse, limit: Math.floor((2 ** 32 - 1) / odd) };
}
