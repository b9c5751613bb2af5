import type { ChunkRange } from './chunk-set.ts';

/** Regions that an image is cut into, at most: what a node holds is told of each. Small images have one a chunk. */
export const REGIONS_LIMIT = 256;

export function regionCount(chunks: number): number {
  return Math.min(REGIONS_LIMIT, chunks);
}

export function regionOf(chunk: number, chunks: number): number {
  return Math.floor((chunk * regionCount(chunks)) / chunks);
}

export function regionRange(region: number, chunks: number): ChunkRange {
  const regions = regionCount(chunks);
  return { start: Math.ceil((region * chunks) / regions), end: Math.ceil(((region + 1) * chunks) / regions) };
}
