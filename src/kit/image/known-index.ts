import { access } from 'node:fs/promises';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { openImage } from '../../image/image-file.ts';
import { imagePaths } from '../../image/image-reference.ts';
import { readIndexFile } from '../../image/index-file.ts';
import { makeChunkIndex } from '../../image/make-index.ts';
import { withProgress } from '../progress.ts';

/** The index of an image: the one beside it, or, where there is none, what it would be. */
export async function knownIndex(path: string, signal: AbortSignal): Promise<ChunkIndex> {
  const { index } = imagePaths(path);
  if (await isThere(index)) return await readIndexFile(index);
  await using image = await openImage(path);
  return await withProgress('index', (onProgress) => makeChunkIndex(image, { signal, onProgress }));
}

export async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
