import { hash } from 'node:crypto';
import type { ChunkIndex } from '../../image/chunk-index.ts';

export function isChunk(index: ChunkIndex, chunk: number, bytes: Uint8Array): boolean {
  return (
    bytes.length === index.length(chunk) && Buffer.compare(hash(index.hash, bytes, 'buffer'), index.digest(chunk)) === 0
  );
}
