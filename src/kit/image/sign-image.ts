import { open, rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { encodeChunkIndex } from '../../image/chunk-index.ts';
import { openImage } from '../../image/image-file.ts';
import { imagePaths } from '../../image/image-reference.ts';
import { readIndexFile } from '../../image/index-file.ts';
import { MINISIGN_FILE_LIMIT } from '../../image/minisign.ts';
import { type MinisignSecret, parseMinisignSecret, signMinisign } from '../../image/minisign-secret.ts';
import { regularFileBytes } from '../../linux/file.ts';
import { sourceDate } from '../source-date.ts';

export interface SignRequest {
  /** Of the secret key. */
  readonly secret: string;
  /** What the signature says of the image, in one line. */
  readonly comment: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Signs the index of an image: NAME.caibx.minisig, whole or not at all. The image itself is not read.
 * @throws Error when there is no index, it is not of this image, or the key cannot be used
 */
export async function signImage(path: string, { secret, comment, signal }: SignRequest): Promise<void> {
  const paths = imagePaths(path);
  await using image = await openImage(path);
  const index = await readIndexFile(paths.index);
  if (index.size !== image.size)
    throw new Error(`${paths.index} is of an image of ${index.size} bytes, ${path} has ${image.size}`);
  const key = await unlocked(secret, signal);
  const seconds = sourceDate() ?? Math.floor(Date.now() / 1000);
  const said = comment ?? `timestamp:${seconds}\tfile:${basename(paths.index)}\thashed`;
  await writeWhole(paths.signature, signMinisign(encodeChunkIndex(index), key, said));
  process.stdout.write(`${paths.signature}: signed by key ${key.keyId}, id sha256:${index.id}\n`);
}

async function unlocked(path: string, signal: AbortSignal): Promise<MinisignSecret> {
  const text = (await regularFileBytes(path, MINISIGN_FILE_LIMIT)).toString('utf8');
  try {
    const file = parseMinisignSecret(text);
    return file.unlock(file.needsPassword ? await askPassword(path, signal) : undefined);
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Of a terminal without showing it; otherwise the first line of standard input, as minisign reads it. */
async function askPassword(path: string, signal: AbortSignal): Promise<string> {
  const terminal = process.stdin.isTTY === true;
  if (terminal) process.stderr.write(`Password of ${path}: `);
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal });
  try {
    for await (const line of lines) {
      signal.throwIfAborted();
      return line;
    }
    throw new Error('no password on standard input');
  } finally {
    lines.close();
    if (terminal) process.stderr.write('\n');
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.partial`;
  try {
    await using file = await open(temporary, 'w');
    await file.writeFile(text);
    await file.sync();
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
