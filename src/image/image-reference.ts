/**
 * How images are named. An image NAME is the file NAME.sqfs; beside it lie its chunk index NAME.caibx and, if it is
 * signed, the signature of that index, NAME.caibx.minisig.
 */
import { basename, dirname, join } from 'node:path';
import { isImageName } from './image-name.ts';

export const IMAGE_SUFFIX = '.sqfs';
export const INDEX_SUFFIX = '.caibx';
export const SIGNATURE_SUFFIX = '.minisig';

const ID = /^[0-9a-fA-F]{64}$/;

export interface ImageReference {
  readonly name: string;
  /** The image id, 64 lower-case hex digits, when the image is pinned: no other may boot. */
  readonly id?: string;
}

export interface ImagePaths {
  readonly name: string;
  readonly image: string;
  readonly index: string;
  readonly signature: string;
}

/**
 * Parses `NAME` or `NAME@sha256:HEX`, as on the kernel command line; `NAME.sqfs` is taken for NAME.
 * @throws Error saying which part is wrong
 */
export function parseImageReference(text: string): ImageReference {
  const at = text.indexOf('@');
  const written = at < 0 ? text : text.slice(0, at);
  const name = written.endsWith(IMAGE_SUFFIX) ? written.slice(0, -IMAGE_SUFFIX.length) : written;
  if (!isImageName(name)) throw new Error(`'${written}' is no image name`);
  if (at < 0) return { name };
  const [algorithm, id, ...rest] = text.slice(at + 1).split(':');
  if (algorithm !== 'sha256' || id === undefined || rest.length > 0 || !ID.test(id)) {
    throw new Error(`'${text.slice(at + 1)}' is no image id, which is sha256: and 64 hex digits`);
  }
  return { name, id: id.toLowerCase() };
}

/** The inverse of parseImageReference. */
export function formatImageReference({ name, id }: ImageReference): string {
  return id === undefined ? name : `${name}@sha256:${id}`;
}

/** Where the files of the image at `path` lie; without the suffix .sqfs (a partition, say) the rest is appended. */
export function imagePaths(path: string): ImagePaths {
  const file = basename(path);
  const name = file.endsWith(IMAGE_SUFFIX) ? file.slice(0, -IMAGE_SUFFIX.length) : file;
  const index = join(dirname(path), name + INDEX_SUFFIX);
  return { name, image: path, index, signature: index + SIGNATURE_SUFFIX };
}
