import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  MINISIGN_FILE_LIMIT,
  type MinisignKey,
  type MinisignSignature,
  parseMinisignKey,
  parseMinisignSignature,
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

async function readParsed<T>(path: string, parse: (text: string) => T): Promise<T> {
  const { size } = await stat(path);
  if (size > MINISIGN_FILE_LIMIT) throw new Error(`${path}: ${size} bytes are too many for minisign`);
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
