import { basename } from 'node:path';
import { encodeChunkIndex } from '../../image/chunk-index.ts';
import { openImage } from '../../image/image-file.ts';
import { imagePaths } from '../../image/image-reference.ts';
import { readIndexFile } from '../../image/index-file.ts';
import { signMinisign } from '../../image/minisign-secret.ts';
import { sourceDate } from '../source-date.ts';
import { writeWhole } from '../write-whole.ts';
import { unlocked } from './secret-key.ts';

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
