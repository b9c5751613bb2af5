import { type Codec, CodecError, u8, u16be } from '../../codec/struct.ts';
import type { ChunkSet } from './chunk-set.ts';
import { REGIONS_LIMIT, regionCount, regionRange } from './regions.ts';
import { varint } from './varint.ts';

/** How much of a region a node holds. */
export const LEVEL = { none: 0, some: 1, half: 2, all: 3 } as const;

const NONE = 0;
const ALL = 1;
const LEVELS = 2;

const NOTHING = new Uint8Array(0);

/**
 * Roughly what a node holds: two bits for each region of the image, whatever its size. Immutable and packed, as it came
 * over the wire, because a table keeps thousands of them.
 */
export interface Summary {
  /** Regions of the image; 0 while the node does not know the index. */
  readonly regions: number;
  /** How many chunks are held. */
  readonly count: number;
  /** How much of the image the node keeps for the field: in 255 parts of it. */
  readonly share: number;
  readonly form: number;
  /** `LEVELS`: two bits a region, the lowest first. Else empty. */
  readonly packed: Uint8Array;
}

export const UNKNOWN: Summary = { regions: 0, count: 0, share: 0, form: NONE, packed: NOTHING };

export function emptySummary(chunks: number): Summary {
  return { regions: regionCount(chunks), count: 0, share: 0, form: NONE, packed: NOTHING };
}

/** What a set of chunks is like, region by region. */
export function summarize(set: ChunkSet, share = 0): Summary {
  const regions = regionCount(set.size);
  const { count } = set;
  if (count === 0) return { regions, count, share, form: NONE, packed: NOTHING };
  if (count === set.size) return { regions, count, share, form: ALL, packed: NOTHING };
  const packed = new Uint8Array((regions + 3) >>> 2);
  for (let region = 0; region < regions; region++) {
    const range = regionRange(region, set.size);
    const size = range.end - range.start;
    const held = set.countIn(range);
    const level = held === 0 ? LEVEL.none : held === size ? LEVEL.all : held * 2 >= size ? LEVEL.half : LEVEL.some;
    packed[region >>> 2] = (packed[region >>> 2] as number) | (level << ((region & 3) * 2));
  }
  return { regions, count, share, form: LEVELS, packed };
}

/** How much of a region is held. */
export function levelOf({ regions, form, packed }: Summary, region: number): number {
  if (form === NONE || region >= regions) return LEVEL.none;
  if (form === ALL) return LEVEL.all;
  return ((packed[region >>> 2] as number) >>> ((region & 3) * 2)) & 3;
}

/** regions (2) · count · share (1) · form (1) · two bits a region in form 2 */
export const summaryCodec: Codec<Summary> = {
  sizeOf: ({ count, packed }) => 4 + varint.sizeOf(count) + packed.length,
  write({ regions, count, share, form, packed }, target, offset) {
    let next = u16be.write(regions, target, offset);
    next = varint.write(count, target, next);
    next = u8.write(share, target, next);
    next = u8.write(form, target, next);
    if (next + packed.length > target.length) throw new CodecError('no room for a summary');
    target.set(packed, next);
    return next + packed.length;
  },
  read(source, offset) {
    const [regions, afterRegions] = u16be.read(source, offset);
    const [count, afterCount] = varint.read(source, afterRegions);
    const [share, afterShare] = u8.read(source, afterCount);
    const [form, next] = u8.read(source, afterShare);
    if (regions > REGIONS_LIMIT || count >= 2 ** 32) throw new CodecError(`summary of ${regions} regions`);
    if (form > LEVELS) throw new CodecError(`unknown form of a summary ${form}`);
    const length = form === LEVELS ? (regions + 3) >>> 2 : 0;
    if (length > source.length - next) throw new CodecError('summary cut short');
    if (form === LEVELS && (regions & 3) !== 0 && (source[next + length - 1] as number) >>> ((regions & 3) * 2) !== 0) {
      throw new CodecError('bits behind the last region');
    }
    // A copy: the datagram's buffer is not kept alive by a few bytes of it.
    const packed = length === 0 ? NOTHING : new Uint8Array(source.subarray(next, next + length));
    return [{ regions, count, share, form, packed }, next + length];
  },
};
