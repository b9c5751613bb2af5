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
/** As nodes and stores name them: these go with their image. */
const OWN_INDEX = /^([0-9a-f]{64})\.caibx$/;
/** By a person's name, as casync and desync have them: such a one stays, and so do its chunks while it is not pruned. */
const ANY_INDEX = /\.caibx$/;

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
  const isChunkless = what === 'temporary files';
  const keepOnly = typeof what === 'string' ? undefined : what.otherThan;
  const { wanted, kept } = isChunkless ? NO_INDEXES : await readIndexes(path, names, keepOnly);
  const unknown = keepOnly?.find((id) => !kept.has(id));
  if (unknown !== undefined) {
    throw new Error(`${path} has no index of the image ${unknown}: nobody can say which chunks are of that image`);
  }
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
    const isKept = isChunkless || digest === undefined || kept.size === 0 || wanted.has(digest);
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
  for (const name of names) {
    const id = OWN_INDEX.exec(name)?.[1];
    if (id === undefined || keepOnly === undefined || keepOnly.includes(id)) continue;
    const file = join(path, `${id}.caibx`);
    await remove(file, 'indexes', (await lstat(file)).size);
  }
  return cleaned;
}

const NO_INDEXES = { wanted: new Set<string>(), kept: new Set<string>() } as const;

/** The chunks of all images that have an index in the directory, or of those to keep; and the ids of these images. */
async function readIndexes(
  path: string,
  names: readonly string[],
  keepOnly: readonly string[] | undefined,
): Promise<{ readonly wanted: ReadonlySet<string>; readonly kept: ReadonlySet<string> }> {
  const wanted = new Set<string>();
  const kept = new Set<string>();
  for (const name of names.filter((each) => ANY_INDEX.test(each))) {
    const named = OWN_INDEX.exec(name)?.[1];
    if (keepOnly !== undefined && named !== undefined && !keepOnly.includes(named)) continue;
    const index = await readIndexFile(join(path, name), named);
    if (keepOnly?.includes(index.id) === false) continue;
    kept.add(index.id);
    for (let chunk = 0; chunk < index.count; chunk++) wanted.add(index.digestHex(chunk));
  }
  return { wanted, kept };
}

function unless(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!hasCode(error, ...codes)) throw error;
  };
}
