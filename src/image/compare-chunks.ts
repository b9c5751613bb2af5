import type { ChunkIndex } from './chunk-index.ts';

/** What one image has that another has not. */
export interface ChunkDifference {
  /** Bytes in chunks that the other does not have; each of them counted once, as a store would keep it. */
  readonly newBytes: number;
  readonly newChunks: number;
  /** newBytes of all bytes of the image, 0 to 1. */
  readonly newShare: number;
}

/** What who has the chunks of `earlier` must fetch of `later`. Both indexes must name chunks by the same digest. */
export function compareChunks(earlier: ChunkIndex, later: ChunkIndex): ChunkDifference {
  const known = new Set<string>();
  for (let i = 0; i < earlier.count; i++) known.add(earlier.digestHex(i));
  let [newBytes, newChunks] = [0, 0];
  for (let i = 0; i < later.count; i++) {
    const digest = later.digestHex(i);
    if (known.has(digest)) continue;
    known.add(digest);
    newBytes += later.length(i);
    newChunks++;
  }
  return { newBytes, newChunks, newShare: later.size === 0 ? 0 : newBytes / later.size };
}
