import { hash } from 'node:crypto';
import { sha256 } from '../linux/sha256.ts';
import type { ChunkHash } from './chunk-index.ts';

const DIGEST_SIZE = 32;

/** Pieces to be hashed: piece i of `bytes` lies between ends[i - 1] (0) and ends[i]. */
export interface HashJob {
  readonly bytes: Uint8Array;
  readonly ends: readonly number[];
  readonly named: ChunkHash;
}

/** The digests of the pieces, 32 bytes each, in order. On the thread that calls. */
export function digestPieces({ bytes, ends, named }: HashJob): Uint8Array<ArrayBuffer> {
  const digests = new Uint8Array(ends.length * DIGEST_SIZE);
  let start = 0;
  ends.forEach((end, i) => {
    const piece = bytes.subarray(start, end);
    // node:crypto costs each thread that loads it 30 ms.
    digests.set(named === 'sha256' ? sha256(piece) : hash(named, piece, 'buffer'), i * DIGEST_SIZE);
    start = end;
  });
  return digests;
}
