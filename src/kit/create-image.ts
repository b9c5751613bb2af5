import { createReadStream } from 'node:fs';
import { realpath, rename, rm, stat } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import type { ChunkIndex } from '../image/chunk-index.ts';
import { openImage } from '../image/image-file.ts';
import { imagePaths } from '../image/image-reference.ts';
import { writeIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import { emptyReport, type SourceReport } from '../image/sources/report.ts';
import { readTar } from '../image/sources/tar/read-tar.ts';
import { unpacked } from '../image/sources/tar/unpack.ts';
import { openView } from '../image/sources/tree/view.ts';
import { walkTree } from '../image/sources/tree/walk.ts';
import { LEVELS, type WriteCompressor } from '../squashfs/compressor.ts';
import type { TreeEntry } from '../squashfs/entry.ts';
import { type WriteReport, writeSquashfs } from '../squashfs/write-squashfs.ts';

/** Of zstd; squashfs-tools' own. */
export const DEFAULT_LEVEL = LEVELS.zstd.usual;
export const HIGHEST_LEVEL = LEVELS.zstd.max;
/** Bytes of a tar read at once. */
const TAR_PIECE = 1024 * 1024;

export type ImageSource =
  | { readonly kind: 'directory' | 'tar'; readonly path: string }
  /** A tar on standard input. */
  | { readonly kind: 'stdin' };

export interface CreateOptions {
  readonly signal: AbortSignal;
  /** zstd. */
  readonly compressor?: WriteCompressor;
  /** Of compression, within the compressor's LEVELS. */
  readonly level?: number;
  /** That compress; as many as there are processors. */
  readonly threads?: number;
  /** How much of which work is done. */
  readonly onProgress?: (what: 'pack' | 'index', doneBytes: number, totalBytes?: number) => void;
  /** Look at all of a directory's files first, so that `onProgress` can tell the total. */
  readonly countFirst?: boolean;
  /** Called with what could not be kept or was left out although the image was made. */
  readonly onWarning?: (line: string) => void;
}

/**
 * What SOURCE on the command line means.
 * @throws Error when there is no such thing, or images cannot be made from it yet
 */
export async function resolveSource(source: string): Promise<ImageSource> {
  if (source === '-') return { kind: 'stdin' };
  if (/^debian:/.test(source))
    throw new Error(`making an image of ${source} is not there yet; give a directory or a tar`);
  const path = await realpath(source).catch((cause: unknown) => {
    throw new Error(`cannot read ${source}`, { cause });
  });
  if (path === '/') {
    throw new Error('making an image of the running system (/) is not there yet; give a directory or a tar');
  }
  const facts = await stat(path);
  if (facts.isDirectory()) return { kind: 'directory', path };
  if (facts.isFile()) return { kind: 'tar', path };
  throw new Error(`${source} is neither a directory nor a file; a tar from a pipe comes in by -`);
}

/**
 * Makes the image `output` and its chunk index. Both appear whole at the end; what was there before is replaced, and
 * a signature, which then fits no more, is removed.
 * @throws Error saying which step failed
 */
export async function createImage(source: ImageSource, output: string, options: CreateOptions): Promise<ChunkIndex> {
  const paths = imagePaths(output);
  if (source.kind === 'directory' && isInside(output, source.path)) {
    throw new Error(`${output} lies inside of ${source.path}: the image would hold itself`);
  }
  const { signal, compressor, level, threads, onProgress, onWarning } = options;
  const epoch = sourceDateEpoch();
  const partial = `${output}.part`;
  try {
    const sourceReport = emptyReport();
    const total = options.countFirst === true ? await totalBytes(source, signal) : undefined;
    const written = await writeSquashfs(entriesOf(source, sourceReport, signal), partial, {
      signal,
      ...(compressor !== undefined && { compressor }),
      ...(level !== undefined && { level }),
      ...(threads !== undefined && { threads }),
      ...(epoch !== undefined && { epoch }),
      onProgress: (done) => onProgress?.('pack', done, total),
    });
    for (const line of [...sourceWarnings(sourceReport), ...imageWarnings(written)]) onWarning?.(line);
    const index = await indexOf(partial, options);
    // The image comes last: whoever sees it (make, too) sees it finished, at whatever moment this is interrupted.
    for (const stale of [output, paths.signature]) await rm(stale, { force: true });
    await writeIndexFile(paths.index, index);
    await rename(partial, output);
    return index;
  } catch (error) {
    // A stream that was cut off says so in its own words.
    signal.throwIfAborted();
    throw error;
  } finally {
    await rm(partial, { force: true });
  }
}

/** Of all files; undefined for what can be read only once. */
async function totalBytes(source: ImageSource, signal: AbortSignal): Promise<number | undefined> {
  if (source.kind === 'stdin') return undefined;
  if (source.kind === 'tar') return (await stat(source.path)).size;
  let total = 0;
  for await (const { size = 0 } of entriesOf(source, emptyReport(), signal)) {
    total += size;
    signal.throwIfAborted();
  }
  return total;
}

async function indexOf(path: string, { signal, onProgress }: CreateOptions): Promise<ChunkIndex> {
  await using image = await openImage(path);
  return await makeChunkIndex(image, { signal, onProgress: (done, total) => onProgress?.('index', done, total) });
}

/** @throws Error when the variable is there and no number */
function sourceDateEpoch(): number | undefined {
  const text = process.env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,10}$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH is '${text}', not seconds since 1970`);
  return Number(text);
}

function entriesOf(
  source: ImageSource,
  report: SourceReport,
  signal: AbortSignal,
): Iterable<TreeEntry> | AsyncIterable<TreeEntry> {
  if (source.kind === 'directory') return directoryEntries(source.path, report);
  if (source.kind === 'stdin') return tarEntries(process.stdin, 'standard input', signal);
  return tarEntries(createReadStream(source.path, { highWaterMark: TAR_PIECE }), source.path, signal);
}

function* directoryEntries(path: string, report: SourceReport): Generator<TreeEntry, void, void> {
  using view = openView({ root: path, isSystem: false, crossAll: true, asked: [] });
  yield* walkTree({ name: path, report, ...view });
}

function tarEntries(input: Readable, name: string, signal: AbortSignal): AsyncIterable<TreeEntry> {
  addAbortSignal(signal, input);
  return readTar(unpacked(input, name), name);
}

function sourceWarnings({ leftOut, changed, vanished }: SourceReport): string[] {
  return [
    ...leftOut.map(({ path, why }) => `left out: ${path}, ${why}`),
    ...changed.map((path) => `${path} changed while it was read; what was read last is in the image`),
    ...vanished.map((path) => `${path} was gone before it was read`),
  ];
}

/** A line for each kind of thing that squashfs cannot keep. */
function imageWarnings({ clampedTimes, attributesLeft }: WriteReport): string[] {
  const lines = [...attributesLeft].map(
    ([name, count]) => `${count} files have the attribute ${name}, which squashfs cannot keep`,
  );
  if (clampedTimes > 0) {
    lines.push(
      `${clampedTimes} files are from before 1970 or after 2106, which squashfs cannot keep: the nearest it can`,
    );
  }
  return lines;
}

function isInside(path: string, directory: string): boolean {
  const way = relative(resolve(directory), resolve(path));
  return way !== '..' && !way.startsWith('../');
}
