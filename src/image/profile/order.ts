import type { ChunkIndex } from '../chunk-index.ts';
import type { BootProfile } from './profile.ts';

/** What fewer of the boots read than this is not fetched ahead. */
const LEAST_SHARE = 0.25;

/**
 * The chunks of an image in the order in which a boot reads them. A profile of another image says nothing of this one.
 * @returns none twice; empty when the profile is of another image
 */
export function chunkOrder({ image, size, boots, ranges }: BootProfile, index: ChunkIndex): readonly number[] {
  if (size !== index.size || (image !== undefined && image !== index.id)) return [];
  const order = new Set<number>();
  for (const range of ranges) {
    if (range.boots < boots * LEAST_SHARE) continue;
    const last = index.locate(range.end - 1);
    for (let chunk = index.locate(range.start); chunk <= last; chunk++) order.add(chunk);
  }
  return [...order];
}
