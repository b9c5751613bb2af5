import {
  type ChunkHash,
  type ChunkIndex,
  type ChunkSizes,
  createChunkIndex,
  DIGEST_SIZE,
  planChunkSizes,
} from './chunk-index.ts';
import { Chunker } from './chunker.ts';
import { HashPool, sharedBytes } from './hash-pool.ts';
import type { ImageReader } from './image-file.ts';
import type { ImageWorkOptions } from './verify.ts';

/** Bytes read and cut at once: some milliseconds of work, so that nothing else waits long. */
const SEGMENT = 2 * 1024 * 1024;

interface Piece {
  readonly ends: readonly number[];
  readonly digests: Promise<Uint8Array>;
}

/**
 * Makes the index of an image, the same as `casync make --digest=DIGEST --chunk-size=MIN:AVG:MAX` makes. This thread
 * cuts, the pool's hash what was cut, and the next bytes are read meanwhile.
 * @throws Error when the image is empty, a read fails or `signal` aborts
 */
export async function makeChunkIndex(
  image: ImageReader,
  options: ImageWorkOptions & { readonly sizes?: ChunkSizes; readonly named?: ChunkHash } = {},
): Promise<ChunkIndex> {
  const sizes = options.sizes ?? planChunkSizes(image.size);
  const named = options.named ?? 'sha256';
  if (options.pool !== undefined) {
    return joinPieces(await cutImage(image, sizes, options, options.pool), sizes, named);
  }
  await using pool = new HashPool();
  return await joinPieces(await cutImage(image, sizes, options, pool), sizes, named);
}

async function cutImage(
  image: ImageReader,
  sizes: ChunkSizes,
  { signal, onProgress, named }: ImageWorkOptions & { readonly named?: ChunkHash },
  pool: HashPool,
): Promise<Piece[]> {
  if (image.size === 0) throw new Error(`${image.name} is empty`);
  const chunker = new Chunker(sizes);
  const segments = Math.ceil(image.size / SEGMENT);
  // A segment is read behind room for what the one before it left uncut, always less than one chunk.
  const room = sizes.max;
  const slots = Array.from({ length: pool.threads + 2 }, () => sharedBytes(room + SEGMENT));
  const slotOf = (segment: number) => slots[segment % slots.length] as Uint8Array<SharedArrayBuffer>;
  const pieces: Piece[] = [];
  const load = async (segment: number): Promise<number> => {
    await pieces[segment - slots.length]?.digests;
    const offset = segment * SEGMENT;
    const length = Math.min(SEGMENT, image.size - offset);
    await image.read(slotOf(segment).subarray(room, room + length), offset);
    return room + length;
  };

  let loading = load(0);
  let uncut: Uint8Array = new Uint8Array(0);
  let base = 0;
  try {
    for (let segment = 0; segment < segments; segment++) {
      const atEnd = segment + 1 === segments;
      const end = await loading;
      signal?.throwIfAborted();
      if (!atEnd) loading = load(segment + 1);
      // Awaited in the next turn; until then its failure is not an unhandled one.
      loading.catch(() => undefined);
      const bytes = slotOf(segment);
      const first = room - uncut.length;
      bytes.set(uncut, first);
      const ends = cut(chunker, bytes, first, end, atEnd ? 1 : sizes.max);
      const used = ends.at(-1) ?? 0;
      const digests = pool.digests(bytes.subarray(first, first + used), ends, named);
      digests.catch(() => undefined);
      pieces.push({ ends: ends.map((at) => base + at), digests });
      uncut = bytes.subarray(first + used, end);
      base += used;
      onProgress?.(base, image.size);
    }
  } finally {
    // Whoever called may close the image now: no read may be under way.
    await loading.catch(() => undefined);
  }
  return pieces;
}

/** Where chunks end, counted from `start`; what follows is left when fewer than `need` bytes remain before `end`. */
function cut(chunker: Chunker, bytes: Uint8Array, start: number, end: number, need: number): number[] {
  const ends: number[] = [];
  for (let at = start; end - at >= need; ) {
    at += chunker.next(bytes, at, end);
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
