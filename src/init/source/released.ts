import { readIndexFile } from '../../image/index-file.ts';
import { parseRelease, RELEASE_LIMIT_BYTES, type Release, verifyRelease } from '../../image/release.ts';
import { readPublicKeys } from '../../image/signature.ts';
import { describeError } from '../../linux/describe-error.ts';
import { regularFileBytes } from '../../linux/file.ts';
import type { ImageCandidate } from '../../media/candidate.ts';
import type { BootLog } from '../boot-log.ts';
import { KEYS, wantsSignature } from '../trust/signing-keys.ts';

/** Where an image stands without a release beside it; one that is only tried, by some machines, comes after it. */
const UNRELEASED = 0;
const TRIED = -1;

/** Of two images on one medium the greater boots: a release for all machines says its version. Pure. */
export function standingOf(release: Release): number {
  return release.for.some((words) => words.every(({ kind }) => kind === 'all')) ? release.version : TRIED;
}

/**
 * What the releases say that lie beside images (`NAME.release`). One that is about another image, or must be signed and is
 * not, counts for nothing and is warned of.
 */
export async function readStandings(
  candidates: readonly ImageCandidate[],
  log: Pick<BootLog, 'warn' | 'choose'>,
): Promise<ReadonlyMap<ImageCandidate, number>> {
  const standings = new Map<ImageCandidate, number>();
  for (const candidate of candidates) {
    const { releasePath } = candidate;
    if (releasePath === undefined) continue;
    try {
      const release = await readRelease(candidate, releasePath);
      const standing = standingOf(release);
      const what =
        standing === TRIED ? 'not for all machines: other images here go first' : 'the highest version boots';
      log.choose(`release ${releasePath}`, `${release.name} ${release.version}, ${what}`);
      standings.set(candidate, standing);
    } catch (error) {
      log.warn(`${releasePath} counts for nothing: ${describeError(error)}`);
      standings.set(candidate, UNRELEASED);
    }
  }
  return standings;
}

async function readRelease({ indexPath, squashfs }: ImageCandidate, path: string): Promise<Release> {
  const read = parseRelease((await regularFileBytes(path, RELEASE_LIMIT_BYTES)).toString('utf8'));
  const { release } = read;
  if (wantsSignature()) verifyRelease(read, await readPublicKeys(KEYS));
  if (indexPath === undefined) throw new Error('its image has no index to know it by');
  await readIndexFile(indexPath, release.image.id);
  if (release.sizeBytes !== squashfs.sizeBytes)
    throw new Error(`its image has ${release.sizeBytes} bytes, this one ${squashfs.sizeBytes}`);
  return release;
}
