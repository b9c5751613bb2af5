import { type ChunkIndex, DIGEST_SIZE } from './chunk-index.ts';
import { HashPool, sharedBytes } from './hash-pool.ts';
import type { ImageReader } from './image-file.ts';

/** Bytes read at once: large enough for any disk to reach its speed, small enough for memory and progress. */
const READ_SIZE = 4 * 1024 * 1024;

export interface ImageWorkOptions {
  readonly signal?: AbortSignal;
  /** Called after every few megabytes. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Threads started before, to be used and left running; otherwise they are started and ended here. */
  readonly pool?: HashPool;
}

/** Bytes of an image that are not what its index says. */
export class ImageMismatchError extends Error {
  override readonly name = 'ImageMismatchError';
  readonly chunk: number;
  readonly start: number;
  readonly end: number;

  constructor(image: string, index: ChunkIndex, chunk: number) {
    const { start, end } = index.chunk(chunk);
    super(
      `${image} is not what its index says: chunk ${chunk} of ${index.count}, bytes ${start} to ${end - 1}, differs`,
    );
    this.chunk = chunk;
    this.start = start;
    this.end = end;
  }
}

/**
 * Checks every byte of an image against its index.
 * @throws ImageMismatchError naming the first chunk that differs; Error when the size differs, a read fails or `signal`
 * aborts
 */
export async function verifyImage(
  image: ImageReader,
  index: ChunkIndex,
  options: ImageWorkOptions = {},
): Promise<void> {
  if (image.size < index.size) {
    throw new Error(`${image.name} is truncated: ${image.size} of ${index.size} bytes are there`);
  }
  if (image.size > index.size) {
    throw new Error(`${image.name} has ${image.size} bytes, its index says ${index.size}: index of another image`);
  }
  if (options.pool !== undefined) return verifyChunks(image, index, options, options.pool);
  await using pool = new HashPool();
  await verifyChunks(image, index, options, pool);
}

async function verifyChunks(
  image: ImageReader,
  index: ChunkIndex,
  { signal, onProgress }: ImageWorkOptions,
  pool: HashPool,
): Promise<void> {
  const stop = new AbortController();
  let next = 0;
  let done = 0;
  let firstBad = Number.POSITIVE_INFINITY;

  /** Reads and checks one stretch of chunks after the other. Stretches are taken in order, so the first that differs is found. */
  const lane = async (): Promise<void> => {
    const buffer = sharedBytes(Math.max(READ_SIZE, index.largest));
    while (next < index.count && !stop.signal.aborted) {
      signal?.throwIfAborted();
      const first = next;
      const { start } = index.chunk(first);
      next = chunksWithin(index, first, buffer.length);
      const bytes = buffer.subarray(0, index.end(next - 1) - start);
      const ends = Array.from(index.ends.subarray(first, next), (end) => end - start);
      await image.read(bytes, start);
      const bad = firstDifference(await pool.digests(bytes, ends, index.hash), index, first);
      if (bad !== undefined) {
        firstBad = Math.min(firstBad, bad);
        stop.abort();
      }
      done += bytes.length;
      onProgress?.(done, index.size);
    }
  };

  // One lane more than threads: it reads while they hash.
  const lanes = Array.from({ length: pool.threads + 1 }, () =>
    lane().catch((error: unknown) => {
      stop.abort();
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(lanes)).find((result) => result.status === 'rejected');
  if (firstBad < index.count) throw new ImageMismatchError(image.name, index, firstBad);
  if (failed !== undefined) throw failed.reason;
}

/** One past the last chunk of a stretch that begins with `first` and has at most `bytes` bytes; at least one chunk. */
function chunksWithin(index: ChunkIndex, first: number, bytes: number): number {
  const limit = index.start(first) + bytes;
  return limit >= index.size ? index.count : Math.max(index.locate(limit), first + 1);
}

function firstDifference(digests: Uint8Array, index: ChunkIndex, first: number): number | undefined {
  const expected = index.digests.subarray(first * DIGEST_SIZE, first * DIGEST_SIZE + digests.length);
  if (Buffer.compare(digests, expected) === 0) return undefined;
  return first + Math.floor(digests.findIndex((byte, i) => byte !== expected[i]) / DIGEST_SIZE);
}
