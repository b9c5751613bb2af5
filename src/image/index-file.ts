import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { FileRefused, regularFileBytes } from '../linux/file.ts';
import { type ChunkIndex, decodeChunkIndex, encodeChunkIndex, INDEX_SIZE_LIMIT, verifyIndex } from './chunk-index.ts';

/**
 * Reads the chunk index at `path`.
 * @param id the image id it must have, when the image is pinned
 * @throws Error when it cannot be read, is no file, no sound index or another one; the path is in the message
 */
export async function readIndexFile(path: string, id?: string): Promise<ChunkIndex> {
  try {
    const bytes = await regularFileBytes(path, INDEX_SIZE_LIMIT);
    return id === undefined ? decodeChunkIndex(bytes) : verifyIndex(bytes, id);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${path}: ${cause instanceof FileRefused ? 'bad chunk index: ' : ''}${why}`, { cause });
  }
}

/** Writes an index so that whoever reads `path` finds the old one or the new one, never half of it. */
export async function writeIndexFile(path: string, index: ChunkIndex): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(encodeChunkIndex(index));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
