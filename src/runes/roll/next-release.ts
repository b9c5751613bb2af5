/** What `viver roll try|out|back` makes of the release that is in force. Pure. */
import type { PinnedImage, Release, ReleaseWord } from '../../image/release.ts';

export interface KnownImage extends PinnedImage {
  readonly sizeBytes: number;
}

export interface NextOptions {
  /** What is rolled out, when nothing is yet. */
  readonly name: string;
  readonly expiresSeconds: number;
  readonly when: Release['when'];
  /** What machines boot without any release. */
  readonly running: PinnedImage;
}

const isHosts = (words: readonly ReleaseWord[]) => words.every(({ kind }) => kind === 'host' || kind === 'mac');
const isAll = ({ for: lines }: Release) => lines.some((words) => words.every(({ kind }) => kind === 'all'));

/** What machines are to boot that the next image is not for: what all have now. */
function inForce(last: Release | undefined, running: PinnedImage): PinnedImage {
  if (last === undefined) return running;
  return isAll(last) ? last.image : (last.instead ?? running);
}

function next(
  last: Release | undefined,
  image: KnownImage,
  whom: Release['for'],
  { name, expiresSeconds, when, running }: NextOptions,
): Release {
  const instead = last?.image.id === image.id ? (last.instead ?? running) : inForce(last, running);
  return {
    name: last?.name ?? name,
    version: (last?.version ?? 0) + 1,
    image: { name: image.name, id: image.id },
    sizeBytes: image.sizeBytes,
    expiresSeconds,
    for: whom,
    when,
    ...(instead.id === image.id ? {} : { instead: { name: instead.name, id: instead.id } }),
  };
}

/** One machine, or some, boot a new image; those that try the same image already go on. */
export function tryRelease(
  last: Release | undefined,
  image: KnownImage,
  hosts: readonly ReleaseWord[],
  options: NextOptions,
): Release {
  const trying = last?.image.id === image.id ? last.for.filter(isHosts) : [];
  const added = hosts.map((word) => [word]);
  const known = new Set(trying.map((words) => JSON.stringify(words)));
  const whom = [...trying, ...added.filter((words) => !known.has(JSON.stringify(words)))];
  return next(last, image, whom, options);
}

/** All machines, those of a role, or a share of them, boot an image; those that try it go on. */
export function outRelease(
  last: Release | undefined,
  image: KnownImage,
  words: readonly ReleaseWord[],
  options: NextOptions,
): Release {
  const isPart = words.length > 0;
  const trying = isPart && last?.image.id === image.id ? last.for.filter(isHosts) : [];
  return next(last, image, [...trying, isPart ? words : [{ kind: 'all' }]], options);
}

/**
 * All machines boot the image again that they had before.
 * @param image what `instead` of the last release names
 */
export function backRelease(last: Release, image: KnownImage, options: NextOptions): Release {
  const { instead, ...release } = next(last, image, [[{ kind: 'all' }]], options);
  return release;
}
