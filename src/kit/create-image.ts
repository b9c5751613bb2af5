import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { addAbortSignal, type Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { ChunkIndex } from '../image/chunk-index.ts';
import { openImage } from '../image/image-file.ts';
import { imagePaths } from '../image/image-reference.ts';
import { writeIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';

/** 256 KiB blocks were the smallest image measured. */
const SQUASHFS_OPTIONS = ['-noappend', '-comp', 'zstd', '-b', '256K', '-no-progress', '-quiet'];
/** A tar need not say what its root is, and mksquashfs would make it writable for everybody. */
const TAR_OPTIONS = ['-tar', '-root-mode', '0755', '-root-uid', '0', '-root-gid', '0'];

/** Of zstd; squashfs-tools' own. */
export const DEFAULT_LEVEL = 15;
export const HIGHEST_LEVEL = 22;

/** What mksquashfs says of the root itself, which nearly every tar holds. */
const ROOT_PASSED_OVER = 'Empty tar filename after skipping leading /';

export type ImageSource =
  | { readonly kind: 'directory' | 'tar'; readonly path: string }
  /** A tar on standard input. */
  | { readonly kind: 'stdin' };

/** Packers whose streams are told by how they begin. */
const PACKED: readonly {
  readonly name: string;
  readonly magic: readonly number[];
  readonly unpack?: () => NodeJS.ReadWriteStream;
}[] = [
  { name: 'gzip', magic: [0x1f, 0x8b], unpack: createGunzip },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: createZstdDecompress },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68] },
];

export interface CreateOptions {
  readonly signal: AbortSignal;
  /** Of compression, 1 to HIGHEST_LEVEL; DEFAULT_LEVEL. */
  readonly level?: number;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Called with what squashfs-tools had to say although the image was made: an attribute that could not be kept, say. */
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
  // The real path, as mksquashfs would pack a symbolic link itself.
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
  const partial = `${output}.partial`;
  try {
    await rm(partial, { force: true });
    const warnings = await packSource(source, partial, options);
    for (const line of warnings) options.onWarning?.(line);
    const index = await indexOf(partial, options);
    await syncFile(partial);
    // The image comes last: whoever sees it (make, too) sees it finished, at whatever moment this is interrupted.
    for (const stale of [output, paths.signature]) await rm(stale, { force: true });
    await writeIndexFile(paths.index, index);
    await rename(partial, output);
    return index;
  } finally {
    await rm(partial, { force: true });
  }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.sync();
}

async function indexOf(path: string, options: CreateOptions): Promise<ChunkIndex> {
  await using image = await openImage(path);
  return await makeChunkIndex(image, options);
}

async function packSource(source: ImageSource, output: string, options: CreateOptions): Promise<string[]> {
  const { signal, level = DEFAULT_LEVEL } = options;
  const squashfs = [...SQUASHFS_OPTIONS, '-Xcompression-level', String(level)];
  if (source.kind === 'directory') return await mksquashfs([source.path, output, ...squashfs], signal);
  const input = source.kind === 'stdin' ? process.stdin : createReadStream(source.path);
  const name = source.kind === 'stdin' ? 'standard input' : source.path;
  return await mksquashfs(['-', output, ...TAR_OPTIONS, ...squashfs], signal, (target, ended) =>
    feedTar(input, name, target, ended),
  );
}

/** Sends a tar, unpacked when it is packed, to `target`. */
async function feedTar(input: Readable, name: string, target: Writable, signal: AbortSignal): Promise<void> {
  addAbortSignal(signal, input);
  const start = await firstBytes(input, name);
  const packed = PACKED.find(({ magic }) => magic.every((byte, i) => start[i] === byte));
  if (packed === undefined) return await pipeline(input, target);
  if (packed.unpack === undefined) {
    throw new Error(`${name} is packed by ${packed.name}: give it as '${packed.name} -dc FILE | viver image create -'`);
  }
  await pipeline(input, packed.unpack(), target).catch((cause: unknown) => {
    throw isZlibError(cause) ? new Error(`cannot unpack ${name} by ${packed.name}`, { cause }) : cause;
  });
}

/** Looks at the start of a stream and puts it back. */
async function firstBytes(input: Readable, name: string): Promise<Buffer> {
  for await (const chunk of input.iterator({ destroyOnReturn: false })) {
    input.unshift(chunk);
    return Buffer.from(chunk);
  }
  throw new Error(`${name} is empty: no tar`);
}

/**
 * Gives the lines that mksquashfs wrote to standard error.
 * @throws Error with its last words there, or why its input could not be had
 */
async function mksquashfs(
  args: readonly string[],
  signal: AbortSignal,
  feed?: (target: Writable, signal: AbortSignal) => Promise<void>,
): Promise<string[]> {
  const child = spawn('mksquashfs', args, { stdio: ['pipe', 'ignore', 'pipe'], signal });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-4096);
  });
  const programEnded = new AbortController();
  const ended = new Promise<void>((done, failed) => {
    child.once('error', (cause: Error) => failed(new Error(startFailure(cause), { cause })));
    child.once('close', (code, killed) => {
      if (code === 0) done();
      else
        failed(
          new Error(
            `mksquashfs ended with ${killed ?? `code ${code}`}: ${linesOf(words).slice(-2).join('; ') || 'without a word'}`,
          ),
        );
    });
  }).finally(() => programEnded.abort());
  const fed = (feed?.(child.stdin, programEnded.signal) ?? Promise.resolve(child.stdin.end())).catch(
    (error: unknown) => {
      child.kill();
      throw error;
    },
  );
  const [programResult, inputResult] = await Promise.allSettled([ended, fed]);
  signal.throwIfAborted();
  if (inputResult.status === 'rejected' && !isOfEndedProgram(inputResult.reason)) throw inputResult.reason;
  if (programResult.status === 'rejected') throw programResult.reason;
  return linesOf(words);
}

function startFailure(cause: Error): string {
  const missing = 'code' in cause && cause.code === 'ENOENT';
  return missing ? 'mksquashfs is not installed (Debian package squashfs-tools)' : 'cannot run mksquashfs';
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith(ROOT_PASSED_OVER));
}

/** The input could not be sent because the program was gone; then the program's own words say why. */
function isOfEndedProgram(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return [
    'EPIPE',
    'ECONNRESET',
    'ABORT_ERR',
    'ERR_STREAM_PREMATURE_CLOSE',
    'ERR_STREAM_DESTROYED',
    'ERR_STREAM_UNABLE_TO_PIPE',
  ].includes(String(error.code));
}

function isZlibError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(Z_|ZSTD_)/.test(String(error.code));
}

function isInside(path: string, directory: string): boolean {
  const way = relative(resolve(directory), resolve(path));
  return way !== '..' && !way.startsWith('../');
}
