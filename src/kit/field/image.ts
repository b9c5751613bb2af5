import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { INDEX_IS_MADE } from '../../field/control-words.ts';
import { NO_PAPERS, type Papers } from '../../field/wire/papers.ts';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { type ImageFile, openImage } from '../../image/image-file.ts';
import { imagePaths } from '../../image/image-reference.ts';
import { readIndexFile, writeIndexFile } from '../../image/index-file.ts';
import { makeChunkIndex } from '../../image/make-index.ts';
import { withProgress } from '../progress.ts';
import { readPapers } from './papers.ts';
import { say } from './say.ts';
import type { Values } from './words.ts';

export interface OpenedImage {
  readonly file: ImageFile | undefined;
  readonly index: ChunkIndex | undefined;
  readonly id: string;
  readonly name: string;
  /** What is signed of it, by files that lie beside it. */
  readonly papers: Papers;
  /** All of it was read, since it had no index. */
  readonly isRead?: boolean;
}

/** Nothing of the image is here but what a directory has, and the index that is named. */
async function joining(values: Values): Promise<OpenedImage> {
  const id = (values.id ?? '').toLowerCase();
  const paths = [values.index, values.store && indexPath(values.store, id)].filter((path) => path !== undefined);
  for (const path of paths) {
    const index = await keptIndex(path, id);
    if (index === undefined) continue;
    return { file: undefined, index, id, name: nameOf(values, id), papers: await readPapers(path, undefined) };
  }
  return { file: undefined, index: undefined, id, name: nameOf(values, id), papers: NO_PAPERS };
}

function nameOf({ name }: Values, id: string): string {
  return name ?? id.slice(0, 12);
}

/** The image that a node is to share, as its command line says. */
export async function open(values: Values, signal: AbortSignal): Promise<OpenedImage> {
  if (values.image === undefined) return joining(values);
  const beside = imagePaths(values.image);
  const paths = { ...beside, index: values.index ?? beside.index };
  let file: ImageFile;
  try {
    file = await openImage(values.image);
  } catch (error) {
    // Started anew after its medium was taken out: whoever reads from it must not suffer for that.
    if (values.id === undefined) throw error;
    say(`${error instanceof Error ? error.message : String(error)}: all of the image comes from others`);
    return joining(values);
  }
  const name = values.name ?? basename(paths.name);
  const hasIndex = await access(paths.index).then(
    () => true,
    () => false,
  );
  if (hasIndex) {
    const index = await readIndexFile(paths.index, values.id);
    if (index.size !== file.size)
      throw new Error(`${paths.index} is of an image of ${index.size} bytes, not ${file.size}`);
    return { file, index, id: index.id, name, papers: await readPapers(paths.index, paths.name) };
  }
  say(`${paths.index} is not there: ${INDEX_IS_MADE}, for which all ${file.size} bytes of the image are read`);
  const index = await withProgress('index', (onProgress) => makeChunkIndex(file, { signal, onProgress }));
  if (values.id !== undefined && values.id.toLowerCase() !== index.id) {
    throw new Error(`${values.image} has the id ${index.id}, wanted ${values.id}`);
  }
  await writeIndexFile(paths.index, index).catch((error: unknown) => say(`index not kept: ${String(error)}`));
  return { file, index, id: index.id, name, papers: await readPapers(paths.index, paths.name), isRead: true };
}

/** Where a directory store has the index of an image. */
export function indexPath(store: string, id: string): string {
  return join(store, `${id}.caibx`);
}

/** A directory store keeps the index too: its node serves what it has even while no peer is there. */
async function keptIndex(path: string, id: string): Promise<ChunkIndex | undefined> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  return readIndexFile(path, id).catch((error: unknown) => {
    say(`kept index is of no use: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
}
