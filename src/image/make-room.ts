import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../linux/errno.ts';
import type { ChunkIndex } from './chunk-index.ts';

const FOLDER = /^[0-9a-f]{4}$/;
const CHUNK = /^([0-9a-f]{64})(?:\.cacnk)?$/;

export interface StoredFile {
  readonly path: string;
  readonly bytes: number;
  /** When it was written. */
  readonly atMs: number;
  /** A chunk of the image that the room is for. */
  readonly isOwn: boolean;
}

/**
 * Of a store that holds chunks of several images: what has to go so that all of `imageBytes`, or as much of it as may be
 * kept, has room within the budget. The oldest go first, and none of the image's own. Pure.
 */
export function planRoom(files: readonly StoredFile[], imageBytes: number, budget: number): readonly StoredFile[] {
  const others = files.filter(({ isOwn }) => !isOwn).sort((a, b) => a.atMs - b.atMs);
  let left = others.reduce((sum, { bytes }) => sum + bytes, 0) + Math.min(imageBytes, budget) - budget;
  const gone: StoredFile[] = [];
  for (const file of others) {
    if (left <= 0) break;
    gone.push(file);
    left -= file.bytes;
  }
  return gone;
}

/** Makes that room. @returns bytes of other images' chunks that are there then */
export async function makeRoom(store: string, index: ChunkIndex, budget: number): Promise<number> {
  const own = new Set<string>();
  for (let chunk = 0; chunk < index.count; chunk++) own.add(index.digestHex(chunk));
  const files: StoredFile[] = [];
  for (const folder of await readdir(store).catch(unless('ENOENT', []))) {
    if (!FOLDER.test(folder)) continue;
    for (const name of await readdir(join(store, folder)).catch(unless('ENOTDIR', []))) {
      const digest = CHUNK.exec(name)?.[1];
      const path = join(store, folder, name);
      const found = digest === undefined ? undefined : await lstat(path).catch(unless('ENOENT', undefined));
      if (digest === undefined || found?.isFile() !== true) continue;
      files.push({ path, bytes: found.size, atMs: found.mtimeMs, isOwn: own.has(digest) });
    }
  }
  const gone = new Set(planRoom(files, index.size, budget));
  for (const { path } of gone) await rm(path, { force: true });
  return files.reduce((sum, file) => sum + (file.isOwn || gone.has(file) ? 0 : file.bytes), 0);
}

function unless<T>(code: string, instead: T): (error: unknown) => T {
  return (error) => {
    if (hasCode(error, code)) return instead;
    throw error;
  };
}
