import type { BootProfile } from './profile.ts';

/** Bytes [start, end) of an image. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * When a boot first reads any of some bytes of the image: bytes read before it; undefined: never. Pure.
 * @returns a function that takes spans in any order
 */
export function firstReadOf(profile: BootProfile): (spans: readonly Span[]) => number | undefined {
  const ranges = profile.ranges.toSorted((a, b) => a.start - b.start);
  /** The first range that ends behind `offset`. */
  const from = (offset: number): number => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ranges[middle]?.end ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return (spans) => {
    let first: number | undefined;
    for (const { start, end } of spans) {
      for (let i = from(start); i < ranges.length; i++) {
        const range = ranges[i];
        if (range === undefined || range.start >= end) break;
        first = Math.min(first ?? Number.POSITIVE_INFINITY, range.at);
      }
    }
    return first;
  };
}
