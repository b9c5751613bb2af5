/** What a directory of chunks no longer needs: `viver field up --store` fills one image after another into it. */
import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../linux/errno.ts';
import { readIndexFile } from './index-file.ts';

/** Whoever writes a file under a temporary name is done with it long before. */
const STALE_MS = 3_600_000;

const FOLDER = /^[0-9a-f]{4}$/;
const CHUNK = /^([0-9a-f]{64})(?:\.cacnk)?$/;
/** As `ChunkStore.write` and `writeIndexFile` name them. */
const TEMPORARY = /^[0-9a-f]{64}\.(?:caibx\.)?[0-9a-f-]{36}\.tmp$/;
const INDEX = /^([0-9a-f]{64})\.caibx$/;

export interface CleanOptions {
  /** Temporary files alone, or also chunks: those that no index in the directory names, or that these images have not. */
  readonly what: 'temporary files' | 'unnamed chunks' | { readonly otherThan: readonly string[] };
  /** Only says what would go. */
  readonly isDryRun: boolean;
  /** Wall clock. */
  readonly nowMs: number;
}

/** Files that went, or would, and their bytes. */
export interface Cleaned {
  chunks: number;
  temporary: number;
  indexes: number;
  bytes: number;
}

/**
 * Removes stale temporary files, and chunks that no index in the directory names. A directory without any index keeps
 * its chunks: nobody can say whose they are. Files with other names are nobody's business.
 * @throws Error when the index of the image to keep is not there, an index cannot be read, or a file cannot be removed
 */
export async function cleanStore(path: string, { what, isDryRun, nowMs }: CleanOptions): Promise<Cleaned> {
  const cleaned: Cleaned = { chunks: 0, temporary: 0, indexes: 0, bytes: 0 };
  const names = await readdir(path);
  const ids = names.flatMap((name) => INDEX.exec(name)?.[1] ?? []);
  const isChunkless = what === 'temporary files';
  const keepOnly = typeof what === 'string' ? undefined : what.otherThan;
  const unknown = keepOnly?.find((id) => !ids.includes(id));
  if (unknown !== undefined) {
    throw new Error(`${path} has no ${unknown}.caibx: nobody can say which chunks are of that image`);
  }
  const kept = keepOnly ?? ids;
  const wanted = isChunkless ? new Set<string>() : await digestsOf(path, kept);
  const remove = async (file: string, kind: 'chunks' | 'temporary' | 'indexes', sizeBytes: number): Promise<void> => {
    cleaned[kind]++;
    cleaned.bytes += sizeBytes;
    if (!isDryRun) await rm(file, { force: true });
  };
  /** Whether it went. */
  const look = async (folder: string, name: string): Promise<boolean> => {
    const file = join(folder, name);
    const digest = CHUNK.exec(name)?.[1];
    const isTemporary = TEMPORARY.test(name);
    const isKept = isChunkless || digest === undefined || kept.length === 0 || wanted.has(digest);
    if (!isTemporary && isKept) return false;
    // It may have been renamed or removed meanwhile.
    const found = await lstat(file).catch(unless('ENOENT'));
    if (found === undefined || !found.isFile() || (isTemporary && nowMs - found.mtimeMs < STALE_MS)) return false;
    await remove(file, isTemporary ? 'temporary' : 'chunks', found.size);
    return true;
  };
  for (const name of names) {
    if (TEMPORARY.test(name)) await look(path, name);
    if (!FOLDER.test(name)) continue;
    const folder = join(path, name);
    const isFolder = (await lstat(folder).catch(unless('ENOENT')))?.isDirectory() === true;
    if (!isFolder) continue; // a link would lead out of the store
    let gone = 0;
    // A chunk lies in the folder of its first four digits; what lies elsewhere is somebody's own.
    for (const each of (await readdir(folder).catch(unless('ENOENT'))) ?? [])
      if (each.startsWith(name) && (await look(folder, each))) gone++;
    // Only one that this emptied: 2024 may be a person's directory.
    if (!isDryRun && gone > 0) await rmdir(folder).catch(unless('ENOTEMPTY', 'ENOENT', 'ENOTDIR'));
  }
  // Last: interrupted before, it can be done again.
  for (const id of ids) {
    if (kept.includes(id)) continue;
    const file = join(path, `${id}.caibx`);
    await remove(file, 'indexes', (await lstat(file)).size);
  }
  return cleaned;
}

async function digestsOf(path: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const wanted = new Set<string>();
  for (const id of ids) {
    const index = await readIndexFile(join(path, `${id}.caibx`), id);
    for (let chunk = 0; chunk < index.count; chunk++) wanted.add(index.digestHex(chunk));
  }
  return wanted;
}

function unless(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!hasCode(error, ...codes)) throw error;
  };
}
