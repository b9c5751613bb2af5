import { hash } from 'node:crypto';
import type { ChunkIndex } from '../../image/chunk-index.ts';

export function isChunk(index: ChunkIndex, chunk: number, bytes: Uint8Array): boolean {
  return (
    bytes.length === index.length(chunk) && Buffer.compare(hash('sha256', bytes, 'buffer'), index.digest(chunk)) === 0
  );
}
