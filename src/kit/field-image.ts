import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ChunkIndex } from '../image/chunk-index.ts';
import { type ImageFile, openImage } from '../image/image-file.ts';
import { imagePaths } from '../image/image-reference.ts';
import { readIndexFile, writeIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import type { Values } from './field-words.ts';
import { withProgress } from './progress.ts';

export interface OpenedImage {
  readonly file: ImageFile | undefined;
  readonly index: ChunkIndex | undefined;
  readonly id: string;
  readonly name: string;
}

/** Nothing of the image is here but what a directory has. */
async function joining(values: Values): Promise<OpenedImage> {
  const id = (values.id ?? '').toLowerCase();
  const index = values.store === undefined ? undefined : await keptIndex(values.store, id);
  return { file: undefined, index, id, name: values.name ?? id.slice(0, 12) };
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
  const hasIndex = await access(paths.index).then(
    () => true,
    () => false,
  );
  if (hasIndex) {
    const index = await readIndexFile(paths.index, values.id);
    if (index.size !== file.size)
      throw new Error(`${paths.index} is of an image of ${index.size} bytes, not ${file.size}`);
    return { file, index, id: index.id, name: values.name ?? basename(paths.name) };
  }
  const index = await withProgress('index', (onProgress) => makeChunkIndex(file, { signal, onProgress }));
  if (values.id !== undefined && values.id.toLowerCase() !== index.id) {
    throw new Error(`${values.image} has the id ${index.id}, wanted ${values.id}`);
  }
  await writeIndexFile(paths.index, index).catch((error: unknown) => say(`index not kept: ${String(error)}`));
  return { file, index, id: index.id, name: values.name ?? basename(paths.name) };
}

/** Where a directory store has the index of an image. */
export function indexPath(store: string, id: string): string {
  return join(store, `${id}.caibx`);
}

/** A directory store keeps the index too: its node serves what it has even while no peer is there. */
async function keptIndex(store: string, id: string): Promise<ChunkIndex | undefined> {
  const path = indexPath(store, id);
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

export function say(line: string): void {
  process.stderr.write(`viver field: ${line}\n`);
}
