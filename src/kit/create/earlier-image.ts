import type { ChunkIndex } from '../../image/chunk-index.ts';
import { compareChunks } from '../../image/compare-chunks.ts';
import { WRITE_COMPRESSORS, type WriteCompressor } from '../../squashfs/compressor.ts';
import { EarlierLayout } from '../../squashfs/earlier-layout.ts';
import type { TreeEntry } from '../../squashfs/entry.ts';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { knownIndex } from '../image/known-index.ts';

/** `--base OLD.sqfs`: what of it a new image takes over. */
export interface EarlierImage {
  /** How messages call it. */
  readonly path: string;
  /** Read before the new image is made: it may take the place of this one. */
  readonly index: ChunkIndex;
  readonly layout: EarlierLayout;
  readonly compressor: WriteCompressor;
  /** Undefined when the image does not say it, as it is the compressor's usual one or the compressor has none to say. */
  readonly level: number | undefined;
  readonly blockSize: number;
  /** Of all its bytes to those of its files. */
  readonly packedShare: number;
}

/**
 * Reads how an earlier image is laid out.
 * @param known its index, when it lies elsewhere, and how messages call the image
 * @throws Error when it is no image, or one that cannot be written any more
 */
export async function readEarlierImage(
  path: string,
  signal: AbortSignal,
  known: { readonly index?: ChunkIndex; readonly name?: string } = {},
): Promise<EarlierImage> {
  using image = new SquashfsImage(path);
  const { compression, blockSize, bytesUsed } = image.superblock;
  const compressor = WRITE_COMPRESSORS.find((name) => name === compression);
  if (compressor === undefined) {
    throw new Error(`${path} is packed by ${compression}, which images are made with no more: leave out --base`);
  }
  const layout = new EarlierLayout(image);
  const packedShare = layout.fileBytes === 0 ? 1 : bytesUsed / layout.fileBytes;
  return {
    path: known.name ?? path,
    index: known.index ?? (await knownIndex(path, signal)),
    layout,
    compressor,
    level: image.level,
    blockSize,
    packedShare,
  };
}

/** What will be new, before anything is packed: `120 files of 34 MB are new or changed since OLD.sqfs, about 11 MB of …`. */
export async function expectedNews(
  { path, layout, packedShare }: EarlierImage,
  entries: Iterable<TreeEntry> | AsyncIterable<TreeEntry>,
): Promise<string> {
  let [files, bytes] = [0, 0];
  for await (const entry of entries) {
    if (entry.kind !== 'file' || layout.has(entry)) continue;
    files++;
    bytes += entry.size ?? 0;
  }
  const about = amount(bytes * packedShare);
  return `${files} files of ${amount(bytes)} are new or changed since ${path}: about ${about} packed`;
}

/** What is new, when the image is made: `11000000 of 400000000 bytes (2.8 %) are in chunks that OLD.sqfs does not have`. */
export function actualNews({ path, index }: EarlierImage, made: ChunkIndex): string {
  const { newBytes, newShare } = compareChunks(index, made);
  const percent = (newShare * 100).toFixed(1);
  return `${newBytes} of ${made.size} bytes (${percent} %) are in chunks that ${path} does not have`;
}

function amount(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0)} MB`;
}
