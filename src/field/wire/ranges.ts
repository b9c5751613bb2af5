import { type Codec, CodecError } from '../../codec/struct.ts';
import type { ChunkRange, ChunkSet } from './chunk-set.ts';
import { several, varint } from './varint.ts';

/** Ranges of chunks in one list, at most. */
export const RANGES_LIMIT = 4096;
/** Chunks named one by one in a message, at most: asked for, taken back, missed. */
export const NAMED_LIMIT = 4096;
/** What a sender puts into one message; the rest goes into the next. */
const RANGES_SENT = 1024;

/** One run: chunks skipped since the one before, and how many follow. */
const run: Codec<readonly [gap: number, length: number]> = {
  sizeOf: ([gap, length]) => varint.sizeOf(gap) + varint.sizeOf(length),
  write: ([gap, length], target, offset) => varint.write(length, target, varint.write(gap, target, offset)),
  read(source, offset) {
    const [gap, afterGap] = varint.read(source, offset);
    const [length, next] = varint.read(source, afterGap);
    if (length === 0) throw new CodecError('empty range of chunks');
    return [[gap, length], next];
  },
};
const runs = several(run, RANGES_LIMIT);

function toRuns(ranges: readonly ChunkRange[]): (readonly [number, number])[] {
  let at = 0;
  return ranges.map(({ start, end }) => {
    const gap = start - at;
    at = end;
    return [gap, end - start] as const;
  });
}

/** Ascending ranges of chunks, at most 4096 of them, as gap and length in turn. */
export const rangesCodec: Codec<readonly ChunkRange[]> = {
  sizeOf: (ranges) => runs.sizeOf(toRuns(ranges)),
  write: (ranges, target, offset) => runs.write(toRuns(ranges), target, offset),
  read(source, offset) {
    const [list, next] = runs.read(source, offset);
    let at = 0;
    const ranges = list.map(([gap, length]) => {
      const start = at + gap;
      at = start + length;
      if (at > 2 ** 32) throw new CodecError('chunk number above 2^32');
      return { start, end: at };
    });
    return [ranges, next];
  },
};

/** Chunks in a list of ranges. */
export function countIn(ranges: readonly ChunkRange[]): number {
  let count = 0;
  for (const { start, end } of ranges) count += end - start;
  return count;
}

/** Ranges each of whose chunks costs the receiver something: NAMED_LIMIT of them at most. */
export const namedCodec: Codec<readonly ChunkRange[]> = {
  ...rangesCodec,
  read(source, offset) {
    const [ranges, next] = rangesCodec.read(source, offset);
    const count = countIn(ranges);
    if (count > NAMED_LIMIT) throw new CodecError(`${count} chunks where at most ${NAMED_LIMIT} belong`);
    return [ranges, next];
  },
};

/** A list of any length as lists that fit a message each. @param most chunks in each */
export function inMessages(ranges: readonly ChunkRange[], most = Number.POSITIVE_INFINITY): ChunkRange[][] {
  const lists: ChunkRange[][] = [];
  let list: ChunkRange[] = [];
  let left = most;
  for (const range of ranges) {
    for (let { start } = range; start < range.end; ) {
      if (list.length >= RANGES_SENT || left === 0) {
        lists.push(list);
        list = [];
        left = most;
      }
      const end = Math.min(range.end, start + left);
      list.push({ start, end });
      left -= end - start;
      start = end;
    }
  }
  if (list.length > 0) lists.push(list);
  return lists;
}

/** Ascending chunk numbers as ranges. */
export function toRanges(chunks: Iterable<number>): ChunkRange[] {
  const ranges: { start: number; end: number }[] = [];
  for (const chunk of chunks) {
    const last = ranges.at(-1);
    if (last?.end === chunk) last.end++;
    else ranges.push({ start: chunk, end: chunk + 1 });
  }
  return ranges;
}

export function rangesOf(set: ChunkSet): ChunkRange[] {
  return [...set.ranges()];
}
