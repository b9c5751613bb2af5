import { statSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { ChunkIndex } from '../image/chunk-index.ts';
import { openImage } from '../image/image-file.ts';
import { imagePaths } from '../image/image-reference.ts';
import { writeIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import { emptyReport, type SourceReport } from '../image/sources/report.ts';
import { type ImageSource, openSource, type SourceOptions } from '../image/sources/source.ts';
import { LEVELS, type WriteCompressor } from '../squashfs/compressor.ts';
import type { TreeEntry } from '../squashfs/entry.ts';
import { type WriteReport, writeSquashfs } from '../squashfs/write-squashfs.ts';
import { type EarlierImage, expectedNews } from './create/earlier-image.ts';
import { partialName } from './output-file.ts';
import { sourceDate } from './source-date.ts';

/** Of zstd. */
export const DEFAULT_LEVEL = LEVELS.zstd.usual;
export const HIGHEST_LEVEL = LEVELS.zstd.max;

type Entries = AsyncIterable<TreeEntry> | Iterable<TreeEntry>;

export interface CreateOptions extends Pick<SourceOptions, 'rules' | 'isSystem' | 'crossAll' | 'asked'> {
  readonly signal: AbortSignal;
  /** zstd. */
  readonly compressor?: WriteCompressor;
  /** Of compression, within the compressor's LEVELS. */
  readonly level?: number;
  /** An image of nearly the same tree, which this one shares as many chunks with as can be. */
  readonly earlier?: EarlierImage;
  /** Files that are laid out anew, whatever `earlier` has beside them. */
  readonly order?: ReadonlyMap<string, unknown>;
  /** Told what will be new against `earlier`, before anything is packed, where the source can be read twice. */
  readonly onExpected?: (line: string) => void;
  /** That compress; as many as there are processors. */
  readonly threads?: number;
  /** Look at all of a directory's files first, so that `onProgress` can tell the total. */
  readonly countFirst?: boolean;
  /** What is to be in the image besides, or instead: kernel and initrd. */
  readonly complete?: (entries: Entries) => Entries;
  /** How much of which work is done. */
  readonly onProgress?: (what: 'pack' | 'index', doneBytes: number, totalBytes?: number) => void;
}

export interface CreatedImage {
  readonly index: ChunkIndex;
  readonly source: SourceReport;
  readonly written: WriteReport;
}

/**
 * Makes the image `output` and its chunk index. Both appear whole at the end; what was there before is replaced, and
 * a signature, which then fits no more, is removed.
 * @throws Error saying which step failed; UnreadableFiles with all files that cannot be read
 */
export async function createImage(source: ImageSource, output: string, options: CreateOptions): Promise<CreatedImage> {
  const paths = imagePaths(output);
  const partial = partialName(output);
  const report = emptyReport();
  const { signal, threads, onProgress, earlier, complete = (entries: Entries) => entries } = options;
  const compressor = options.compressor ?? earlier?.compressor;
  const level = options.level ?? earlier?.level;
  try {
    const isOwn = ownFiles(output);
    const epoch = sourceDate();
    const total = options.countFirst === true ? await totalBytes(source, { ...options, isOwn }) : undefined;
    if (earlier !== undefined && source.kind === 'directory') {
      const again = openSource(source, { ...options, report: emptyReport(), isOwn });
      options.onExpected?.(await expectedNews(earlier, again));
    }
    const entries = openSource(source, { ...options, report, isOwn });
    const written = await writeSquashfs(complete(entries), partial, {
      signal,
      ...(compressor !== undefined && { compressor }),
      ...(level !== undefined && { level }),
      ...(threads !== undefined && { threads }),
      ...(epoch !== undefined && { epoch }),
      ...(earlier !== undefined && {
        blockSize: earlier.blockSize,
        group: (entry: TreeEntry) =>
          options.order?.has(entry.path.toString('latin1')) ? undefined : earlier.layout.group(entry),
      }),
      onProgress: (done) => onProgress?.('pack', done, total),
    });
    const index = await indexOf(partial, options);
    // The image comes last: whoever sees it new (make, too) sees it finished, at whatever moment this is interrupted. The
    // old one stays until then: on a full disk the index may fail.
    await writeIndexFile(paths.index, index);
    await rm(paths.signature, { force: true });
    await rename(partial, output);
    return { index, source: report, written };
  } catch (error) {
    signal.throwIfAborted(); // streams put it in other words
    throw error;
  } finally {
    await rm(partial, { force: true });
  }
}

/** Of all files; undefined for what can be read only once. */
async function totalBytes(source: ImageSource, options: Omit<SourceOptions, 'report'>): Promise<number | undefined> {
  if (source.kind === 'tar') return (await stat(source.path)).size;
  if (source.kind !== 'directory') return undefined;
  let total = 0;
  for await (const { size = 0 } of openSource(source, { ...options, report: emptyReport() })) total += size;
  return total;
}

async function indexOf(path: string, { signal, onProgress }: CreateOptions): Promise<ChunkIndex> {
  await using image = await openImage(path);
  return await makeChunkIndex(image, { signal, onProgress: (done, total) => onProgress?.('index', done, total) });
}

/** Tells the image's own files, which a source that they lie in does not give. */
function ownFiles(output: string): NonNullable<SourceOptions['isOwn']> {
  const { index, signature } = imagePaths(output);
  const names = new Set([output, index, signature].map((path) => Buffer.from(basename(path)).toString('latin1')));
  const own = [...names];
  const { dev, ino } = statSync(dirname(resolve(output)), { bigint: true });
  return (directory, name) =>
    directory.ino === ino &&
    directory.dev === dev &&
    (names.has(name) || own.some((each) => name.startsWith(`${each}.part`)));
}
