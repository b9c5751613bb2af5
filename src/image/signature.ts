import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { regularFileBytes } from '../linux/file.ts';
import { type ChunkIndex, encodeChunkIndex } from './chunk-index.ts';
import {
  MINISIGN_FILE_LIMIT,
  type MinisignKey,
  type MinisignSignature,
  parseMinisignKey,
  parseMinisignSignature,
  verifyMinisign,
  verifySignatureAlone,
} from './minisign.ts';

export interface NamedKey extends MinisignKey {
  /** The file it was read from. */
  readonly path: string;
}

/**
 * The public keys in a directory: every file *.pub in it.
 * @throws Error when the directory or a key in it cannot be read: a key that is silently left out would be worse
 */
export async function readPublicKeys(directory: string): Promise<NamedKey[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.pub')).sort();
  return await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      return { ...(await readParsed(path, parseMinisignKey)), path };
    }),
  );
}

/** @throws Error when the file cannot be read or is no signature */
export function readSignature(path: string): Promise<MinisignSignature> {
  return readParsed(path, parseMinisignSignature);
}

export interface CheckedSignature {
  readonly path: string;
  readonly keyId: string;
  /** What the signer said of the file; genuine. */
  readonly trustedComment: string;
  /** The public key that it was checked by. */
  readonly keyPath: string;
}

/**
 * Checks that an image's index was signed by one of the keys in a directory.
 * @throws Error when there is no signature, or why it is not good; the path is in the message
 */
export async function verifyIndexSignature(
  index: ChunkIndex,
  path: string,
  keysDirectory: string,
): Promise<CheckedSignature> {
  const keys = await readPublicKeys(keysDirectory);
  const signature = await readSignature(path);
  const { keyId, trustedComment } = signature;
  const signer = inFile(path, () => verifyMinisign(encodeChunkIndex(index), signature, keys));
  return { path, keyId, trustedComment, keyPath: signer.path };
}

/** Who has signed an index, by the bytes of a signature file that came from anywhere. Both throw an Error that says why it does not count. */
export interface IndexTrust {
  /** Before there is an index: somebody who has one of the keys made it. */
  promises(signature: Uint8Array): void;
  proves(signature: Uint8Array, index: ChunkIndex): void;
}

export function trustIn(keys: readonly NamedKey[]): IndexTrust {
  const parse = (bytes: Uint8Array): MinisignSignature => parseMinisignSignature(Buffer.from(bytes).toString('utf8'));
  return {
    promises: (signature) => verifySignatureAlone(parse(signature), keys),
    proves: (signature, index) => void verifyMinisign(encodeChunkIndex(index), parse(signature), keys),
  };
}

async function readParsed<T>(path: string, parse: (text: string) => T): Promise<T> {
  const bytes = await regularFileBytes(path, MINISIGN_FILE_LIMIT).catch((error: unknown) => {
    throw inPath(path, error);
  });
  return inFile(path, () => parse(bytes.toString('utf8')));
}

function inFile<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw inPath(path, cause);
  }
}

function inPath(path: string, cause: unknown): Error {
  return new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
