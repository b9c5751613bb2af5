import { hash } from 'node:crypto';
import type { ChunkIndex } from './chunk-index.ts';
import type { ImageReader } from './image-file.ts';

/**
 * Where the chunks of one image come from: the image itself, a chunk store, a web server, a peer.
 * What a source gives has been checked against the index, or it throws.
 */
export interface ChunkSource {
  /** What errors and logs call it. */
  readonly name: string;
  /**
   * The bytes of chunk `i`, or undefined when this source does not have it.
   * @throws ChunkCorruptError when the bytes are not that chunk; Error when they cannot be read
   */
  read(i: number, signal?: AbortSignal): Promise<Uint8Array | undefined>;
}

/** Bytes that are not the chunk they were given for. */
export class ChunkCorruptError extends Error {
  override readonly name = 'ChunkCorruptError';
}

/**
 * Checks that `bytes` are chunk `i`.
 * @param from who gave them, for the error
 * @throws ChunkCorruptError when they are not
 */
export function verifyChunk(index: ChunkIndex, i: number, bytes: Uint8Array, from: string): void {
  const length = index.length(i);
  if (bytes.length !== length) {
    throw new ChunkCorruptError(`${from}: chunk ${i} has ${bytes.length} bytes instead of ${length}`);
  }
  if (Buffer.compare(hash(index.hash, bytes, 'buffer'), index.digest(i)) !== 0) {
    throw new ChunkCorruptError(`${from}: chunk ${i} is not ${index.digestHex(i)}`);
  }
}

/** The chunks of an image that lies here, each checked when it is read. */
export function imageChunks(image: ImageReader, index: ChunkIndex): ChunkSource {
  return {
    name: image.name,
    async read(i) {
      const { start, end } = index.chunk(i);
      const bytes = new Uint8Array(end - start);
      await image.read(bytes, start);
      verifyChunk(index, i, bytes, image.name);
      return bytes;
    },
  };
}
