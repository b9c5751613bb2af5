/**
 * The chunk index of an image, in casync's own format (.caibx), so that casync and desync read what is written here
 * and the other way round. Source: casync src/caformat.h and src/caindex.c. All numbers are 64 bits, little-endian:
 *
 *     INDEX   size 48 · type · feature flags · chunk size min · avg · max
 *     TABLE   size 2^64-1 · type · { end offset · digest (32 bytes) } per chunk
 *     tail    0 · 0 · offset of INDEX's end (48) · size of TABLE with tail · marker
 *
 * The SHA-256 of the whole index file is the image's id: it names every byte of the image.
 */
import { type Codec, CodecError, decode, literal, struct, u64le, u64leBig } from '../codec/struct.ts';
import { sha256 } from '../linux/sha256.ts';

const INDEX_SIZE = 48;

const HEAD = struct('head', [
  ['indexSize', literal(u64le, INDEX_SIZE)],
  ['indexType', literal(u64leBig, 0x96824d9c7b129ff9n)],
  ['featureFlags', u64leBig],
  ['min', u64le],
  ['avg', u64le],
  ['max', u64le],
  // The table is written as it grows, so its size stands behind it.
  ['tableSize', literal(u64leBig, 2n ** 64n - 1n)],
  ['tableType', literal(u64leBig, 0xe75b9e112f17417dn)],
]);
const ITEM_SIZE = 40;
const TAIL_MARKER = 0x4b4f050e5549ecd1n;
/** As long as an item, so that the end is found by stepping through items. */
const TAIL = struct('tail', [
  ['zero', literal(u64leBig, 0n)],
  ['zeroToo', literal(u64leBig, 0n)],
  ['indexSize', literal(u64le, INDEX_SIZE)],
  ['tableSize', u64le],
  ['marker', literal(u64leBig, TAIL_MARKER)],
]);

/** Set: chunks are named by SHA-512/256 (casync's and desync's default). Not set: by SHA-256, as indexes made here are. */
const FLAG_SHA512_256 = 0x2000000000000000n;
/** What `casync make --digest=sha256` writes for a file: EXCLUDE_NODUMP and EXCLUDE_FILE. */
const FLAGS_WRITTEN = 0x9000000000000000n;
/** Every bit casync knows: 33 about file attributes, and the top four. */
const FLAGS_KNOWN = 0xf0000001ffffffffn;

/** Length of a chunk's name in bytes. */
export const DIGEST_SIZE = 32;
/** What names a chunk: a hash of its bytes, as node:crypto calls it. Both are 32 bytes long. */
export type ChunkHash = 'sha256' | 'sha512-256';

/** A chunk is held whole in memory, so an index with larger chunks is refused (casync's own limit is 128 MiB). */
export const CHUNK_SIZE_LIMIT = 16 * 1024 * 1024;
/** An index of more bytes than this is refused before it is read: six million chunks, some 500 GB of image. */
export const INDEX_SIZE_LIMIT = 256 * 1024 * 1024;

/** Bounds of content-defined chunks in bytes. */
export interface ChunkSizes {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
}

export const DEFAULT_CHUNK_SIZES: ChunkSizes = { min: 16 * 1024, avg: 64 * 1024, max: 256 * 1024 };

/** No image made here has many more chunks: an index is in the memory of each machine, and looked through for each boot. */
const CHUNKS_WANTED = 250_000;
/** The mean of chunks may not grow so far that the largest are more than one may have. */
const AVG_LIMIT = CHUNK_SIZE_LIMIT / 4;

/**
 * How an image of so many bytes is cut: as casync does by default, in larger chunks by powers of two only where there
 * would be too many. The same size is always cut alike, so that images share chunks with the ones before them.
 */
export function planChunkSizes(imageBytes: number): ChunkSizes {
  let { min, avg, max } = DEFAULT_CHUNK_SIZES;
  while (imageBytes / avg > CHUNKS_WANTED && avg < AVG_LIMIT) [min, avg, max] = [min * 2, avg * 2, max * 2];
  return { min, avg, max };
}

export interface Chunk {
  /** First byte within the image. */
  readonly start: number;
  /** One past its last byte. */
  readonly end: number;
  /** `ChunkIndex.hash` of its bytes: a view into the index, not to be written to. */
  readonly digest: Uint8Array;
}

interface ChunkIndexParts {
  readonly sizes: ChunkSizes;
  readonly ends: Float64Array;
  readonly digests: Uint8Array;
  readonly featureFlags: bigint;
}

/** Which chunks make up an image. Immutable; holds two typed arrays however many chunks there are. */
export class ChunkIndex {
  /** SHA-256 of the index file, 64 lower-case hex digits: the image id. */
  readonly id: string;
  /** Size of the image in bytes. */
  readonly size: number;
  /** Number of chunks, at least 1. */
  readonly count: number;
  readonly sizes: ChunkSizes;
  /** Largest chunk there really is, in bytes. */
  readonly largest: number;
  /** End offset of every chunk, ascending. */
  readonly ends: Float64Array;
  /** The digest of every chunk, 32 bytes each. */
  readonly digests: Uint8Array;
  readonly featureFlags: bigint;
  /** By what chunks are named. */
  readonly hash: ChunkHash;

  /** For decodeChunkIndex and createChunkIndex, which check `parts`. */
  constructor(id: string, parts: ChunkIndexParts) {
    this.id = id;
    this.sizes = parts.sizes;
    this.ends = parts.ends;
    this.digests = parts.digests;
    this.featureFlags = parts.featureFlags;
    this.hash = (parts.featureFlags & FLAG_SHA512_256) === 0n ? 'sha256' : 'sha512-256';
    this.count = parts.ends.length;
    this.size = parts.ends.at(-1) ?? 0;
    let largest = 0;
    for (let i = 0, start = 0; i < this.count; i++) {
      const end = parts.ends[i] as number;
      if (end - start > largest) largest = end - start;
      start = end;
    }
    this.largest = largest;
  }

  /** @throws RangeError when there is no chunk `i` */
  chunk(i: number): Chunk {
    return { start: this.start(i), end: this.end(i), digest: this.digest(i) };
  }

  start(i: number): number {
    this.#check(i);
    return i === 0 ? 0 : (this.ends[i - 1] as number);
  }

  end(i: number): number {
    this.#check(i);
    return this.ends[i] as number;
  }

  /** Length of chunk `i` in bytes. */
  length(i: number): number {
    return this.end(i) - this.start(i);
  }

  digest(i: number): Uint8Array {
    this.#check(i);
    return this.digests.subarray(i * DIGEST_SIZE, (i + 1) * DIGEST_SIZE);
  }

  /** The chunk's name as chunk stores spell it: 64 lower-case hex digits. */
  digestHex(i: number): string {
    return toHex(this.digest(i));
  }

  /**
   * The chunk that holds the byte at `offset`, by binary search.
   * @throws RangeError when `offset` is outside of the image
   */
  locate(offset: number): number {
    if (!(offset >= 0 && offset < this.size)) {
      throw new RangeError(`offset ${offset} is outside of the image of ${this.size} bytes`);
    }
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ends[middle] as number) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #check(i: number): void {
    if (!(Number.isInteger(i) && i >= 0 && i < this.count)) {
      throw new RangeError(`chunk ${i} is outside of the index of ${this.count} chunks`);
    }
  }
}

/**
 * An index made here, of chunks that lie one behind the other from offset 0.
 * @param ends end offset of each chunk in bytes, ascending
 * @param digests by `hash`, 32 bytes each
 * @throws Error when chunks are empty, out of order or larger than `sizes.max`
 */
export function createChunkIndex(
  ends: Float64Array,
  digests: Uint8Array,
  sizes = DEFAULT_CHUNK_SIZES,
  hash: ChunkHash = 'sha256',
): ChunkIndex {
  if (digests.length !== ends.length * DIGEST_SIZE) throw new Error('chunk index: not one digest per chunk');
  checkSizes(sizes);
  checkEnds(ends, sizes.max);
  const featureFlags = hash === 'sha256' ? FLAGS_WRITTEN : FLAGS_WRITTEN | FLAG_SHA512_256;
  const parts = { sizes, ends, digests, featureFlags };
  return new ChunkIndex(sha256Hex(encodeParts(parts)), parts);
}

/** The index as a .caibx file; of a decoded index exactly the bytes it was decoded from. */
export function encodeChunkIndex(index: ChunkIndex): Uint8Array {
  return encodeParts(index);
}

/** The bytes [start, end) of what encodeChunkIndex gives, without making all of it. */
export function encodeIndexPart(index: ChunkIndex, start: number, end: number): Uint8Array {
  const size = chunkIndexFileSize(index.count);
  const from = Math.min(index.count, Math.max(0, Math.floor((start - HEAD.size) / ITEM_SIZE)));
  const to = Math.min(index.count, Math.max(from, Math.ceil((end - HEAD.size) / ITEM_SIZE)));
  const items = new Uint8Array((to - from) * ITEM_SIZE);
  writeItems(index, from, to, items, 0);
  const part = new Uint8Array(end - start);
  const place = (bytes: Uint8Array, at: number): void => {
    const first = Math.max(at, start);
    const last = Math.min(at + bytes.length, end);
    if (first < last) part.set(bytes.subarray(first - at, last - at), first - start);
  };
  const head = new Uint8Array(HEAD.size);
  HEAD.write({ featureFlags: index.featureFlags, ...index.sizes }, head, 0);
  const tail = new Uint8Array(TAIL.size);
  TAIL.write({ tableSize: size - INDEX_SIZE }, tail, 0);
  place(head, 0);
  place(items, HEAD.size + from * ITEM_SIZE);
  place(tail, size - TAIL.size);
  return part;
}

/** How many bytes encodeChunkIndex gives for `count` chunks. */
export function chunkIndexFileSize(count: number): number {
  return HEAD.size + count * ITEM_SIZE + TAIL.size;
}

/**
 * Decodes a whole .caibx file; keeps no reference to `bytes`.
 * @throws Error naming the first thing that is wrong; nothing is allocated before the length is checked
 */
export function decodeChunkIndex(bytes: Uint8Array): ChunkIndex {
  if (bytes.length > INDEX_SIZE_LIMIT) throw wrong(`${bytes.length} bytes are too many`);
  const itemBytes = bytes.length - HEAD.size - TAIL.size;
  if (itemBytes < 0 || itemBytes % ITEM_SIZE !== 0) {
    throw wrong(`cut short, or something behind its end: ${bytes.length} bytes`);
  }
  if (decode(u64leBig, bytes.subarray(-u64leBig.size)) !== TAIL_MARKER) {
    throw wrong('cut short, or something behind its end: no end marker');
  }
  const head = decodePart(HEAD, bytes);
  const tail = decodePart(TAIL, bytes.subarray(HEAD.size + itemBytes));
  if (tail.tableSize !== bytes.length - INDEX_SIZE) throw wrong(`tail.tableSize: is ${tail.tableSize}`);
  checkFlags(head.featureFlags);
  const sizes = { min: head.min, avg: head.avg, max: head.max };
  checkSizes(sizes);
  const count = itemBytes / ITEM_SIZE;
  const ends = new Float64Array(count);
  const digests = new Uint8Array(count * DIGEST_SIZE);
  const view = viewOf(bytes);
  for (let i = 0, offset = HEAD.size; i < count; i++, offset += ITEM_SIZE) {
    // Not a codec: there may be millions. Two 32-bit reads, as a bigint each would take ten times as long.
    ends[i] = view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
    digests.set(bytes.subarray(offset + 8, offset + ITEM_SIZE), i * DIGEST_SIZE);
  }
  checkEnds(ends, sizes.max);
  return new ChunkIndex(sha256Hex(bytes), { sizes, ends, digests, featureFlags: head.featureFlags });
}

/**
 * Decodes an index that must be the one named `id` (pinned on the kernel command line, or asked for from strangers).
 * @param id 64 hex digits
 * @throws Error when it is another one, before anything in it is looked at
 */
export function verifyIndex(bytes: Uint8Array, id: string): ChunkIndex {
  const actual = sha256Hex(bytes);
  if (actual !== id.toLowerCase()) throw new Error(`chunk index is ${actual}, wanted ${id.toLowerCase()}`);
  return decodeChunkIndex(bytes);
}

function decodePart<T>(codec: Codec<T>, bytes: Uint8Array): T {
  try {
    return decode(codec, bytes);
  } catch (error) {
    throw error instanceof CodecError ? wrong(error.message) : error;
  }
}

function checkFlags(featureFlags: bigint): void {
  if ((featureFlags & ~FLAGS_KNOWN) !== 0n) throw wrong(`unknown feature flags 0x${featureFlags.toString(16)}`);
}

function checkSizes({ min, avg, max }: ChunkSizes): void {
  if (!(min >= 1 && min <= avg && avg <= max && max <= CHUNK_SIZE_LIMIT)) {
    throw wrong(`chunk sizes ${min}:${avg}:${max}`);
  }
}

function checkEnds(ends: Float64Array, max: number): void {
  if (ends.length === 0) throw wrong('no chunks');
  for (let i = 0, start = 0; i < ends.length; i++) {
    const end = ends[i] as number;
    if (end <= start) throw wrong(`chunk ${i} ends at ${end}, not behind its start ${start}`);
    if (end - start > max) throw wrong(`chunk ${i} has ${end - start} bytes, more than the ${max} allowed`);
    start = end;
  }
  if (!Number.isSafeInteger(ends.at(-1))) throw wrong(`image of ${ends.at(-1)} bytes`);
}

function encodeParts({ sizes, ends, digests, featureFlags }: ChunkIndexParts): Uint8Array {
  const bytes = new Uint8Array(chunkIndexFileSize(ends.length));
  const offset = HEAD.write({ featureFlags, ...sizes }, bytes, 0);
  writeItems({ ends, digests }, 0, ends.length, bytes, offset);
  TAIL.write({ tableSize: bytes.length - INDEX_SIZE }, bytes, offset + ends.length * ITEM_SIZE);
  return bytes;
}

function writeItems(
  { ends, digests }: Pick<ChunkIndexParts, 'ends' | 'digests'>,
  from: number,
  to: number,
  bytes: Uint8Array,
  at: number,
): void {
  const view = viewOf(bytes);
  for (let i = from, offset = at; i < to; i++, offset += ITEM_SIZE) {
    const end = ends[i] as number;
    view.setUint32(offset, end % 2 ** 32, true);
    view.setUint32(offset + 4, Math.floor(end / 2 ** 32), true);
    bytes.set(digests.subarray(i * DIGEST_SIZE, (i + 1) * DIGEST_SIZE), offset + 8);
  }
}

function wrong(what: string): Error {
  return new Error(`bad chunk index: ${what}`);
}

function sha256Hex(bytes: Uint8Array): string {
  return sha256(bytes).toString('hex');
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
