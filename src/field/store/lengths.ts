import type { ChunkIndex } from '../../image/chunk-index.ts';
import type { Lengths } from '../event.ts';
import type { Twins } from './twins.ts';

/** What the machine is told of an image's chunks. */
export function lengthsOf(index: ChunkIndex, twins: Twins): Lengths {
  return {
    count: index.count,
    size: index.size,
    length: (chunk) => index.length(chunk),
    othersLike: (chunk) => twins.othersOf(chunk),
    firstLike: (chunk) => twins.firstOf(chunk),
    alike: () => twins.alike(),
  };
}
