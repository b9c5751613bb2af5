import { copyFile, readdir, rename, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { hasCode } from '../linux/errno.ts';
import { libc } from '../linux/libc.ts';
import type { ChunkIndex } from './chunk-index.ts';
import type { ChunkStore } from './chunk-store.ts';
import { type Cleaned, cleanStore } from './clean-store.ts';
import type { ImageReader } from './image-file.ts';
import { readIndexFile, writeIndexFile } from './index-file.ts';
import { type StoredImage, storeImage } from './store-image.ts';
import type { ImageWorkOptions } from './verify.ts';

export interface FileBeside {
  readonly path: string;
  /** What it is called there. */
  readonly name: string;
  /** It lies there by the image's id too: machines know that and no name. */
  readonly isById?: boolean;
}

const OF_IMAGE = /^([0-9a-f]{64})\.caibx$/;

/**
 * Puts an image into a store that web servers give out: its chunks, and then its index by its id and by its name, so that
 * whoever finds an index there finds every chunk that it names. Interrupted anywhere, it can be done again: an index in the
 * store says that its chunks were on the disk before it; all others are looked at.
 * @param beside files to lie there under their own names: signature, boot profile
 */
export async function addToStore(
  image: ImageReader,
  index: ChunkIndex,
  name: string,
  store: ChunkStore,
  beside: readonly FileBeside[],
  options: Omit<ImageWorkOptions, 'pool'> = {},
): Promise<StoredImage> {
  const sound = await digestsOf(store.path);
  const stored = await storeImage(image, index, store, { ...options, isSound: (digest) => sound.has(digest) });
  // The chunks before the index that says they are there.
  libc().sync();
  await writeIndexFile(join(store.path, `${index.id}.caibx`), index);
  for (const { path, name, isById = false } of beside) {
    await replace(path, join(store.path, name));
    if (isById) await replace(path, join(store.path, `${index.id}${extname(name)}`));
  }
  await writeIndexFile(join(store.path, `${name}.caibx`), index);
  return stored;
}

/** Removes what belongs to no image that is there by its name. */
export async function pruneStore(path: string): Promise<Cleaned> {
  const names = (await readdir(path)).filter((name) => name.endsWith('.caibx') && !OF_IMAGE.test(name));
  const ids = await Promise.all(names.map(async (name) => (await readIndexFile(join(path, name))).id));
  return await cleanStore(path, { what: { otherThan: [...new Set(ids)] }, isDryRun: false, nowMs: Date.now() });
}

async function replace(from: string, to: string): Promise<void> {
  const temporary = `${to}.${process.pid}.tmp`;
  try {
    await copyFile(from, temporary);
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Chunks that an index in the store names. An index that cannot be read says nothing. */
async function digestsOf(path: string): Promise<ReadonlySet<string>> {
  const digests = new Set<string>();
  const names = await readdir(path).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  });
  for (const name of names) {
    const id = OF_IMAGE.exec(name)?.[1];
    if (id === undefined) continue;
    const index = await readIndexFile(join(path, name), id).catch(() => undefined); // torn: its chunks are looked at
    for (let chunk = 0; index !== undefined && chunk < index.count; chunk++) digests.add(index.digestHex(chunk));
  }
  return digests;
}
