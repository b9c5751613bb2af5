import { type Codec, CodecError, u8 } from '../../codec/struct.ts';
import type { ChunkRange, ChunkSet } from './chunk-set.ts';
import { varint } from './varint.ts';

/** Chunks in one window of holdings, at most: its bits fit a frame, and what a frame can make a receiver do is bounded. */
export const WINDOW_LIMIT = 1 << 18;

/** The windows that an image of so many chunks is told of in. */
export function windowsOf(chunks: number): ChunkRange[] {
  return Array.from({ length: Math.ceil(chunks / WINDOW_LIMIT) }, (_, i) => ({
    start: i * WINDOW_LIMIT,
    end: Math.min(chunks, (i + 1) * WINDOW_LIMIT),
  }));
}

const NONE = 0;
const ALL = 1;
const RUNS = 2;
const BITS = 3;

/**
 * What a node holds of the chunks [start, start + size): immutable and packed, as it came over the wire, because a
 * table keeps thousands of them.
 */
export interface Holdings {
  readonly start: number;
  readonly size: number;
  /** How many chunks of the window are held. */
  readonly count: number;
  /** `RUNS`: gap and length in turn, as varints. `BITS`: one bit a chunk, the lowest first. Else empty. */
  readonly form: number;
  readonly packed: Uint8Array;
}

const NOTHING = new Uint8Array(0);

export function emptyHoldings(start: number, size: number): Holdings {
  return { start, size, count: 0, form: NONE, packed: NOTHING };
}

/** Packs the window [start, end) of a set in the shorter of the two forms. */
export function packHoldings(set: ChunkSet, { start, end }: ChunkRange): Holdings {
  const size = end - start;
  const count = set.countIn({ start, end });
  if (count === 0) return { start, size, count, form: NONE, packed: NOTHING };
  if (count === size) return { start, size, count, form: ALL, packed: NOTHING };
  const bitmapBytes = (size + 7) >>> 3;
  const runs = new Uint8Array(bitmapBytes + 16);
  let used = 0;
  let from = start;
  for (const range of set.ranges(start, end)) {
    used = varint.write(range.start - from, runs, used);
    used = varint.write(range.end - range.start, runs, used);
    from = range.end;
    if (used >= bitmapBytes) break;
  }
  if (used < bitmapBytes) return { start, size, count, form: RUNS, packed: runs.slice(0, used) };
  const bits = new Uint8Array(bitmapBytes);
  for (let chunk = set.next(start); chunk >= 0 && chunk < end; chunk = set.next(chunk + 1)) {
    const bit = chunk - start;
    bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7));
  }
  return { start, size, count, form: BITS, packed: bits };
}

/** The runs held, ascending, in the image's chunk numbers. */
export function* heldRanges({ start, size, form, packed }: Holdings): Generator<ChunkRange> {
  if (form === ALL) yield { start, end: start + size };
  else if (form === RUNS) {
    let at = start;
    for (let offset = 0; offset < packed.length; ) {
      const [gap, afterGap] = varint.read(packed, offset);
      const [length, next] = varint.read(packed, afterGap);
      yield { start: at + gap, end: at + gap + length };
      at += gap + length;
      offset = next;
    }
  } else if (form === BITS) {
    for (let bit = 0; bit < size; bit++) {
      if (((packed[bit >>> 3] as number) & (1 << (bit & 7))) === 0) continue;
      const first = bit;
      while (bit < size && ((packed[bit >>> 3] as number) & (1 << (bit & 7))) !== 0) bit++;
      yield { start: start + first, end: start + bit };
    }
  }
}

export function holds(holdings: Holdings, chunk: number): boolean {
  const bit = chunk - holdings.start;
  if (bit < 0 || bit >= holdings.size || holdings.form === NONE) return false;
  if (holdings.form === ALL) return true;
  if (holdings.form === BITS) return ((holdings.packed[bit >>> 3] as number) & (1 << (bit & 7))) !== 0;
  for (const range of heldRanges(holdings)) if (chunk < range.end) return chunk >= range.start;
  return false;
}

/** Puts what is held into `set`. */
export function unpackInto(holdings: Holdings, set: ChunkSet): void {
  for (const range of heldRanges(holdings)) set.addRange(range);
}

/** start, size, form, then the packed bytes (RUNS: preceded by their length). */
export const holdingsCodec: Codec<Holdings> = {
  sizeOf: ({ start, size, form, packed }) =>
    varint.sizeOf(start) + varint.sizeOf(size) + 1 + (form === RUNS ? varint.sizeOf(packed.length) : 0) + packed.length,
  write({ start, size, form, packed }, target, offset) {
    let next = varint.write(start, target, offset);
    next = varint.write(size, target, next);
    next = u8.write(form, target, next);
    if (form === RUNS) next = varint.write(packed.length, target, next);
    if (next + packed.length > target.length) throw new CodecError('no room for holdings');
    target.set(packed, next);
    return next + packed.length;
  },
  read(source, offset) {
    const [start, afterStart] = varint.read(source, offset);
    const [size, afterSize] = varint.read(source, afterStart);
    const [form, afterForm] = u8.read(source, afterSize);
    if (size > WINDOW_LIMIT || start > 2 ** 32 - WINDOW_LIMIT) throw new CodecError(`window ${start}+${size}`);
    let next = afterForm;
    let length = 0;
    if (form === RUNS) [length, next] = varint.read(source, next);
    else if (form === BITS) length = (size + 7) >>> 3;
    else if (form !== NONE && form !== ALL) throw new CodecError(`unknown form of holdings ${form}`);
    if (length > source.length - next) throw new CodecError('holdings cut short');
    // A copy: the datagram's buffer is not kept alive by a few bytes of it.
    const packed = length === 0 ? NOTHING : new Uint8Array(source.subarray(next, next + length));
    const count = countPacked(size, form, packed);
    return [{ start, size, count, form, packed }, next + length];
  },
};

function countPacked(size: number, form: number, packed: Uint8Array): number {
  if (form === NONE) return 0;
  if (form === ALL) return size;
  let count = 0;
  if (form === BITS) {
    for (const byte of packed) for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
    if ((size & 7) !== 0 && (packed.at(-1) ?? 0) >>> (size & 7) !== 0) throw new CodecError('bits behind the window');
    return count;
  }
  let at = 0;
  for (let offset = 0; offset < packed.length; ) {
    const [gap, afterGap] = varint.read(packed, offset);
    const [length, next] = varint.read(packed, afterGap);
    at += gap + length;
    if (length === 0 || at > size) throw new CodecError('runs leave the window');
    count += length;
    offset = next;
  }
  return count;
}
