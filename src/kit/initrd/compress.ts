import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type KitFiles, kitTool } from './kit-files.ts';

export const COMPRESSIONS = ['zstd', 'gzip', 'xz', 'none'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export const isCompression = (word: string): word is Compression => COMPRESSIONS.some((each) => each === word);

/** Memory that the kernel takes while it unpacks, as a power of two: modules are alike over long distances. */
const WINDOW_LOG = 24;

export interface CompressRequest {
  readonly kit: KitFiles;
  readonly compression: Compression;
  /** Of zstd. */
  readonly level: number;
  readonly signal: AbortSignal;
}

/** Writes what `chunks` gives to a file, compressed as the kernel can unpack it; it is on the disk when this returns. */
export async function writeCompressed(
  path: string,
  chunks: Iterable<Uint8Array>,
  { kit, compression, level, signal }: CompressRequest,
): Promise<void> {
  const input = Readable.from(chunks, { objectMode: true });
  const output = createWriteStream(path);
  if (compression === 'none') await pipeline(input, output, { signal });
  else if (compression === 'gzip') await pipeline(input, createGzip({ level: 9 }), output, { signal });
  else {
    const { name, from, words } = programOf(compression, level);
    const { command, args } = kitTool(kit, name, from);
    const program = spawn(command, [...args, ...words], { stdio: ['pipe', 'pipe', 'inherit'], signal });
    const ended = once(program, 'close');
    await Promise.all([pipeline(input, program.stdin), pipeline(program.stdout, output)]);
    const [code] = await ended;
    if (code !== 0) throw new Error(`${name} ended with ${code}`);
  }
  await using file = await open(path, 'r+');
  await file.sync();
}

/** On all cores, which Node's own zstd cannot do in a stream; the bytes are the same however many there are. */
function programOf(compression: 'zstd' | 'xz', level: number) {
  if (compression === 'zstd') {
    return {
      name: 'zstd',
      from: 'zstd',
      words: ['-q', '-c', '-T0', '--ultra', `-${level}`, `--zstd=wlog=${WINDOW_LOG}`],
    };
  }
  // CRC-32 is the only sum that the kernel knows.
  return { name: 'xz', from: 'xz-utils', words: ['-T0', '--check=crc32'] };
}
