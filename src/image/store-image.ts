import { availableParallelism } from 'node:os';
import type { ChunkIndex } from './chunk-index.ts';
import { ChunkCorruptError, imageChunks } from './chunk-source.ts';
import type { ChunkStore } from './chunk-store.ts';
import type { ImageReader } from './image-file.ts';
import type { ImageWorkOptions } from './verify.ts';

export interface StoredImage {
  /** Chunks that were not in the store before. */
  readonly added: number;
  /** Chunks that were, or that the image holds more than once. */
  readonly shared: number;
}

export interface StoreOptions extends Omit<ImageWorkOptions, 'pool'> {
  /** Whether a chunk that is in the store needs no look: a power cut leaves files with a chunk's name and nothing in them. */
  readonly isSound?: (digest: string) => boolean;
}

/**
 * Puts every chunk of an image into a store. Each is checked against the index first, so that a store never gets a
 * chunk under a wrong name.
 * @throws ChunkCorruptError when the image is not what its index says; Error when something cannot be read or written
 */
export async function storeImage(
  image: ImageReader,
  index: ChunkIndex,
  store: ChunkStore,
  { signal, onProgress, isSound = () => true }: StoreOptions = {},
): Promise<StoredImage> {
  const source = imageChunks(image, index);
  const taken = new Set<string>();
  let next = 0;
  let added = 0;
  let doneBytes = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < index.count && !failed) {
      signal?.throwIfAborted();
      const i = next++;
      const digest = index.digestHex(i);
      if (!taken.has(digest)) {
        taken.add(digest);
        if (!(await isThere(store, digest, index, i, isSound(digest)))) {
          const bytes = await source.read(i, signal);
          if (bytes === undefined) throw new Error(`${source.name} does not hold chunk ${i}`);
          await store.write(digest, bytes);
          added++;
        }
      }
      doneBytes += index.length(i);
      onProgress?.(doneBytes, index.size);
    }
  };
  const lanes = Array.from({ length: availableParallelism() + 2 }, () =>
    lane().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  const failure = (await Promise.allSettled(lanes)).find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return { added, shared: index.count - added };
}

async function isThere(
  store: ChunkStore,
  digest: string,
  index: ChunkIndex,
  chunk: number,
  isSound: boolean,
): Promise<boolean> {
  if (!(await store.has(digest))) return false;
  if (isSound) return true;
  try {
    return (await store.read(digest, index.length(chunk), index.hash)) !== undefined;
  } catch (error) {
    if (!(error instanceof ChunkCorruptError)) throw error;
    // What lies there unpacked would be found again.
    await store.remove(digest);
    return false;
  }
}
