import { readFileSync } from 'node:fs';
import { type ChunkIndex, decodeChunkIndex } from '../image/chunk-index.ts';
import { openImage } from '../image/image-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import { verifyImage } from '../image/verify.ts';
import type { ImageCandidate } from '../media/candidate.ts';
import type { RankedCandidate } from '../media/choose.ts';
import { copyToRam } from '../root/toram.ts';
import type { BootLog, StageDone } from './boot-log.ts';
import type { BootOptions } from './command-line.ts';
import { BootFailure, describeError } from './failure.ts';
import type { FoundMedia } from './find-media.ts';
import { progressLines } from './progress.ts';

/** The image this boot uses, checked as far as was asked for. */
export interface SoundImage {
  readonly candidate: ImageCandidate;
  readonly name: string;
  /** SHA-256 of the index, hex; undefined for an image without one. */
  readonly id: string | undefined;
  /** The image now: a file, or a block device that begins with it. */
  readonly path: string;
  readonly isDevice: boolean;
  /** The medium is not needed any more. */
  readonly inRam: boolean;
}

const RAM_COPY = '/run/viver/image';

/**
 * Stage `image`: takes the first candidate, best first, that is what it should be: copied to RAM when that is asked
 * for, checked when it is pinned or viver.verify= says so.
 * @throws BootFailure with each candidate's reason when none is left
 */
export async function firstSoundImage(
  media: FoundMedia,
  options: BootOptions,
  log: BootLog,
): Promise<StageDone<SoundImage>> {
  const refused: string[] = [];
  for (const ranked of media.ranked) {
    const { candidate } = ranked;
    try {
      const image = await takeImage(ranked, options, log);
      await media.release(image.inRam ? undefined : candidate);
      log.choose(`image ${candidate.path} on ${candidate.device.path}`, ranked.reason);
      return { value: image, note: noteOf(image, options) };
    } catch (error) {
      const why = describeError(error);
      log.warn(`${candidate.path} on ${candidate.device.path} is not used: ${why}`);
      log.choose(`refused ${candidate.path} on ${candidate.device.path}`, why);
      refused.push(`${candidate.path} on ${candidate.device.path}: ${why}`);
    }
  }
  await media.release(undefined);
  throw new BootFailure('no image that was found may be used', {
    saw: refused,
    tryThis: [
      'another medium, or the image copied anew',
      ...(options.image?.id === undefined ? [] : ['boot without the pin (viver.image=NAME), if the image is trusted']),
    ],
  });
}

function noteOf(image: SoundImage, options: BootOptions): string {
  const checked = verification(options) === 'full' ? 'checked against its index' : 'not checked';
  return `${image.name}${image.id === undefined ? '' : `@${image.id.slice(0, 12)}`} ${checked}${image.inRam ? ', in RAM' : ''}`;
}

/** `lazy` is `full` until a device verifies each chunk as it is read: a pinned image never runs unchecked. */
function verification(options: BootOptions): 'full' | 'off' {
  if (options.verify !== undefined) return options.verify === 'off' ? 'off' : 'full';
  return options.image?.id === undefined ? 'off' : 'full';
}

async function takeImage({ candidate }: RankedCandidate, options: BootOptions, log: BootLog): Promise<SoundImage> {
  const indexBytes = candidate.indexPath === undefined ? undefined : readFileSync(candidate.indexPath);
  let index = indexBytes === undefined ? undefined : decodeChunkIndex(indexBytes);
  const pinned = options.image?.id;
  if (pinned !== undefined && index !== undefined && index.id !== pinned)
    throw new Error(`its image id is ${index.id}, not the pinned ${pinned}`);

  const copy = options.toram
    ? await copyToRam({
        source: candidate.path,
        sizeBytes: candidate.squashfs.sizeBytes,
        name: `${candidate.name || 'image'}.sqfs`,
        beside: [candidate.indexPath, candidate.signaturePath].filter((path) => path !== undefined),
        mountpoint: RAM_COPY,
        onProgress: progressLines(log, `copy ${candidate.name} to RAM`),
      })
    : undefined;
  const path = copy?.path ?? candidate.path;
  if (verification(options) === 'full') index = await checkImage(path, index, pinned, log);
  return {
    candidate,
    name: candidate.name || 'image',
    id: index?.id,
    path,
    isDevice: copy === undefined && candidate.mountpoint === undefined,
    inRam: copy !== undefined,
  };
}

/** Every byte against the index; an image without one is indexed, which gives its id. */
async function checkImage(
  path: string,
  index: ChunkIndex | undefined,
  pinned: string | undefined,
  log: BootLog,
): Promise<ChunkIndex> {
  await using image = await openImage(path);
  if (index !== undefined) {
    const say = progressLines(log, `verify ${path}`);
    await verifyImage(image, index, { onProgress: (copiedBytes, totalBytes) => say({ copiedBytes, totalBytes }) });
    return index;
  }
  const say = progressLines(log, `index ${path}`);
  const made = await makeChunkIndex(image, {
    onProgress: (copiedBytes, totalBytes) => say({ copiedBytes, totalBytes }),
  });
  if (pinned !== undefined && made.id !== pinned)
    throw new Error(`it has no index, and its image id is ${made.id}, not the pinned ${pinned}`);
  return made;
}
