/**
 * Content-defined chunking, cutting where casync cuts (src/cachunker.c): a rolling hash ("buzhash") over the last 48
 * bytes; a chunk ends behind the first byte at which it is at least `min` long and hash mod d = d - 1, or at `max`.
 * So the same content is cut the same way wherever it lies, and an updated image shares its unchanged chunks.
 */
import { CHUNK_SIZE_LIMIT, type ChunkSizes } from './chunk-index.ts';
import { type CutRule, makeScan, SCAN_MARGIN, type Scan, WINDOW } from './rolling-scan.ts';

/** Finds the ends of chunks in memory of its own. */
export class Chunker {
  /** What is to be cut goes here. Other threads can read it. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly #sizes: ChunkSizes;
  readonly #scan: Scan;

  /**
   * @param length of `bytes`; memory is taken as it is written to
   * @throws RangeError when `sizes` are out of order or smaller than the window of 48 bytes
   */
  constructor(sizes: ChunkSizes, length: number) {
    const { min, avg, max } = sizes;
    if (!(min >= WINDOW && min <= avg && avg <= max && max <= CHUNK_SIZE_LIMIT)) {
      throw new RangeError(`cannot cut chunks of ${min}:${avg}:${max} bytes`);
    }
    const { scan, buffer } = makeScan(cutRule(sizes), length);
    this.bytes = new Uint8Array(buffer, SCAN_MARGIN, length);
    this.#sizes = sizes;
    this.#scan = scan;
  }

  /**
   * The length of the chunk that begins at `start` of `bytes`.
   * @param end one past the last byte to look at: the end of the stream, or at least `start` + max
   */
  next(start: number, end: number): number {
    const { min, max } = this.#sizes;
    const longest = Math.min(end - start, max);
    // Of one size: casync then does not look at the content at all.
    if (longest <= min || min === max) return longest;
    // The first bytes of a chunk, where it must not be cut anyway, are never looked at: only the window decides.
    const first = SCAN_MARGIN + start;
    return Math.min(this.#scan(first + min, first + longest) - first, longest);
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
