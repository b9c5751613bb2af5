import { availableParallelism } from 'node:os';
import {
  type ChunkHash,
  type ChunkIndex,
  type ChunkSizes,
  createChunkIndex,
  DIGEST_SIZE,
  planChunkSizes,
} from './chunk-index.ts';
import { Chunker } from './chunker.ts';
import { digestPieces, type HashJob } from './digest-pieces.ts';
import { HashPool, JOBS_EACH } from './hash-pool.ts';
import type { ImageReader } from './image-file.ts';
import type { ImageWorkOptions } from './verify.ts';

/** Bytes read and cut at once: some milliseconds of work, so that nothing else waits long. */
const SEGMENT = 1024 * 1024;

/** What must be left to do for a thread to be worth its start, which takes 100 ms of a processor and more of a busy one. */
const WORTH_A_THREAD_MS = 500;
/** Worked before that can be told. */
const MEASURED_MS = 30;
const MOST_THREADS = 7;

interface Piece {
  readonly ends: readonly number[];
  readonly digests: Promise<Uint8Array>;
}

interface CutOptions extends ImageWorkOptions {
  readonly sizes: ChunkSizes;
  readonly named: ChunkHash;
}

/**
 * Makes the index of an image, the same as `casync make --digest=DIGEST --chunk-size=MIN:AVG:MAX` makes. This thread
 * cuts, and hashes what the pool's threads have no time for; the next bytes are read meanwhile. Without a pool it begins
 * alone and starts as many threads as are worth it.
 * @throws Error when the image is empty, a read fails or `signal` aborts
 */
export async function makeChunkIndex(
  image: ImageReader,
  options: ImageWorkOptions & { readonly sizes?: ChunkSizes; readonly named?: ChunkHash } = {},
): Promise<ChunkIndex> {
  const { sizes = planChunkSizes(image.size), named = 'sha256' } = options;
  const cutOptions = { ...options, sizes, named };
  if (options.pool !== undefined) {
    return joinPieces(await cutImage(image, cutOptions, options.pool, options.pool.threads), sizes, named);
  }
  await using pool = new HashPool(0);
  const most = Math.min(availableParallelism() - 1, MOST_THREADS);
  return await joinPieces(await cutImage(image, cutOptions, pool, most), sizes, named);
}

/** How many threads are worth their start when `doneBytes` of an image took this thread `workedMs`. */
export function planThreads(doneBytes: number, totalBytes: number, workedMs: number, most: number): number {
  if (workedMs < MEASURED_MS) return 0;
  const leftMs = (workedMs / doneBytes) * (totalBytes - doneBytes);
  return Math.min(most, Math.floor(leftMs / WORTH_A_THREAD_MS));
}

async function cutImage(
  image: ImageReader,
  { signal, onProgress, sizes, named }: CutOptions,
  pool: HashPool,
  mostThreads: number,
): Promise<Piece[]> {
  if (image.size === 0) throw new Error(`${image.name} is empty`);
  const segments = Math.ceil(image.size / SEGMENT);
  // A segment is read behind room for what the one before it left uncut, always less than one chunk.
  const room = sizes.max;
  const slotSize = room + SEGMENT;
  // One to read into, one to cut, and those that the threads have.
  const slots = 2 + JOBS_EACH * mostThreads;
  const chunker = new Chunker(sizes, slots * slotSize);
  /** Where unused slots begin. The last that became free is taken first: its memory is still at hand. */
  const free = Array.from({ length: slots }, (_, slot) => slot * slotSize).reverse();
  const pieces: Piece[] = [];
  const load = async (segment: number): Promise<{ slot: number; end: number }> => {
    const slot = free.pop();
    if (slot === undefined) throw new Error('no room to read into');
    const offset = segment * SEGMENT;
    const length = Math.min(SEGMENT, image.size - offset);
    await image.read(chunker.bytes.subarray(slot + room, slot + room + length), offset);
    return { slot, end: slot + room + length };
  };

  const hash = (job: HashJob & { readonly bytes: Uint8Array<SharedArrayBuffer> }): Promise<Uint8Array> =>
    pool.hasRoom ? pool.digests(job.bytes, job.ends, job.named) : Promise.resolve(digestPieces(job));

  let loading = load(0);
  let uncut: Uint8Array = new Uint8Array(0);
  let base = 0;
  let workedMs = 0;
  try {
    for (let segment = 0; segment < segments; segment++) {
      const atEnd = segment + 1 === segments;
      const { slot, end } = await loading;
      signal?.throwIfAborted();
      const first = slot + room - uncut.length;
      // Before the next segment is read: perhaps into the slot that this lies in.
      chunker.bytes.set(uncut, first);
      if (!atEnd) loading = load(segment + 1);
      // Awaited in the next turn; until then its failure is not an unhandled one.
      loading.catch(() => undefined);
      const began = cpuMs();
      const ends = cut(chunker, first, end, atEnd ? 1 : sizes.max);
      const used = ends.at(-1) ?? 0;
      uncut = chunker.bytes.subarray(first + used, end);
      const digests = hash({ bytes: chunker.bytes.subarray(first, first + used), ends, named });
      const release = (): void => void free.push(slot);
      digests.then(release, release);
      pieces.push({ ends: ends.map((at) => base + at), digests });
      base += used;
      workedMs += cpuMs() - began;
      if (pool.threads < mostThreads) pool.grow(planThreads(base, image.size, workedMs, mostThreads));
      onProgress?.(base, image.size);
    }
  } finally {
    // Whoever called may close the image now: no read may be under way.
    await loading.catch(() => undefined);
  }
  return pieces;
}

/** What this thread has had of a processor: on a machine that does other things as well, time says less. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Where chunks end, counted from `start`; what follows is left when fewer than `need` bytes remain before `end`. */
function cut(chunker: Chunker, start: number, end: number, need: number): number[] {
  const ends: number[] = [];
  for (let at = start; end - at >= need; ) {
    at += chunker.next(at, end);
    ends.push(at - start);
  }
  return ends;
}

async function joinPieces(pieces: readonly Piece[], sizes: ChunkSizes, named: ChunkHash): Promise<ChunkIndex> {
  const ends = Float64Array.from(pieces.flatMap((piece) => piece.ends));
  const digests = new Uint8Array(ends.length * DIGEST_SIZE);
  let offset = 0;
  for (const piece of pieces) {
    const part = await piece.digests;
    digests.set(part, offset);
    offset += part.length;
  }
  return createChunkIndex(ends, digests, sizes, named);
}
