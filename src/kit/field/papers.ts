/** What a person has signed of an image, as files beside it, and what a node takes of others for its sake. */
import { dirname, join } from 'node:path';
import type { PaperRules } from '../../field/store/paper-box.ts';
import { fittingPaper, type Papers, RELEASE_LIMIT, SIGNATURE_LIMIT } from '../../field/wire/papers.ts';
import { SIGNATURE_SUFFIX } from '../../image/image-reference.ts';
import { RELEASE_SUFFIX } from '../../image/release.ts';
import { readPublicKeys, trustIn } from '../../image/signature.ts';
import { describeError } from '../../linux/describe-error.ts';
import { regularFileBytes } from '../../linux/file.ts';
import { writeWhole } from '../write-whole.ts';
import { say } from './say.ts';

/**
 * The signature beside an index, and the release beside an image. What cannot be read or is too large is told of and
 * left out: the field can be without.
 * @param name of the image, without the suffix, for its release; undefined: none is looked for
 */
export async function readPapers(index: string, name: string | undefined): Promise<Papers> {
  const release = name === undefined ? undefined : join(dirname(index), name + RELEASE_SUFFIX);
  return {
    signatures: await readPaper(index + SIGNATURE_SUFFIX, 'signatures'),
    releases: release === undefined ? [] : await readPaper(release, 'releases'),
  };
}

async function readPaper(path: string, kind: keyof Papers): Promise<Uint8Array[]> {
  const limit = kind === 'signatures' ? SIGNATURE_LIMIT : RELEASE_LIMIT;
  try {
    const paper = fittingPaper(await regularFileBytes(path, limit), kind);
    if (paper !== undefined) return [paper];
    say(`${path} is empty: it is not shown to others`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      say(`${path} is not shown to others: ${describeError(error)}`);
  }
  return [];
}

/** A node that keeps an index keeps its signature too, for its next life. A disk that takes nothing is told of. */
export async function keepSignature(index: string, [signature]: Papers['signatures']): Promise<void> {
  if (signature === undefined) return;
  try {
    await writeWhole(index + SIGNATURE_SUFFIX, signature);
  } catch (error) {
    say(`the image's signature is not kept: ${describeError(error)}`);
  }
}

/** @param keys directory of minisign's public keys (*.pub) @throws Error when there is none, or one cannot be read */
export async function rulesOf(keys: string | undefined): Promise<PaperRules> {
  if (keys === undefined) return {};
  const known = await readPublicKeys(keys);
  if (known.length === 0) throw new Error(`--keys: ${keys} has no public key (*.pub)`);
  return { trust: trustIn(known) };
}
