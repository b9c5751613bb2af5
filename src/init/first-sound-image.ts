import type { ChunkIndex } from '../image/chunk-index.ts';
import { openImage } from '../image/image-file.ts';
import { readIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import { verifyIndexSignature } from '../image/signature.ts';
import { verifyImage } from '../image/verify.ts';
import { describeError } from '../linux/describe-error.ts';
import type { ImageCandidate } from '../media/candidate.ts';
import type { RankedCandidate } from '../media/choose.ts';
import { copyToRam, RAM_COPY } from '../root/toram.ts';
import type { BootLog, StageDone } from './boot-log.ts';
import type { BootOptions } from './command-line.ts';
import type { Drivers } from './drivers.ts';
import { FIELD_DEVICE, type FieldDaemon, localDaemon, startFieldDaemon } from './field-daemon.ts';
import type { FoundMedia } from './find-media.ts';
import { openField, waitOf } from './join-field.ts';
import { progressLines } from './progress.ts';
import type { Refusals } from './refusals.ts';
import { KEYS, wantsSignature } from './signing-keys.ts';

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
  /** The daemon whose device `path` is; it checks each chunk as it is read. */
  readonly daemon?: FieldDaemon;
}

/** None of the media found so far holds an image that may be used; another may still come. */
export class AllRefused extends Error {
  override readonly name = 'AllRefused';
}

/**
 * Stage `image`: takes the first candidate, best first, that is what it should be: copied to RAM when that is asked
 * for, checked when it is pinned or viver.verify= says so.
 * @param refused takes up what is not used, with the reason
 * @throws AllRefused when none is left
 */
export async function firstSoundImage(
  media: FoundMedia,
  options: BootOptions,
  drivers: Drivers,
  refused: Refusals,
  log: BootLog,
): Promise<StageDone<SoundImage>> {
  for (const ranked of media.ranked) {
    const { candidate } = ranked;
    try {
      const image = await takeImage(ranked, options, drivers, log);
      await media.release(image.inRam ? undefined : candidate);
      log.choose(`image ${candidate.path} on ${candidate.device.path}`, ranked.reason);
      return { value: image, note: noteOf(image, options) };
    } catch (error) {
      const why = describeError(error);
      log.warn(`${candidate.path} on ${candidate.device.path} is not used: ${why}`);
      log.choose(`refused ${candidate.path} on ${candidate.device.path}`, why);
      refused.add(candidate, why);
    }
  }
  await media.release(undefined);
  throw new AllRefused('no image found so far may be used');
}

function noteOf(image: SoundImage, options: BootOptions): string {
  const checked =
    image.daemon !== undefined
      ? 'each chunk checked as it is read'
      : verification(options) === 'full'
        ? 'checked against its index'
        : 'not checked';
  return `${image.name}${image.id === undefined ? '' : `@${image.id.slice(0, 12)}`} ${checked}${image.inRam ? ', in RAM' : ''}`;
}

/** `lazy` is `full` where no device can check each chunk as it is read: what is pinned or signed never runs unchecked. */
function verification(options: BootOptions): 'full' | 'off' {
  if (options.verify !== undefined) return options.verify === 'off' ? 'off' : 'full';
  return options.image?.id === undefined && !wantsSignature() ? 'off' : 'full';
}

/** The index beside the image, as far as it must be genuine. */
async function takeIndex(
  candidate: ImageCandidate,
  options: BootOptions,
  log: BootLog,
): Promise<ChunkIndex | undefined> {
  const { indexPath, signaturePath } = candidate;
  const signed = wantsSignature();
  if (indexPath === undefined) {
    if (signed) throw new Error(`it has no signed index, and ${KEYS} wants one`);
    return undefined;
  }
  try {
    const index = await readIndexFile(indexPath, options.image?.id);
    if (!signed) return index;
    if (signaturePath === undefined) throw new Error(`${indexPath} is not signed, and ${KEYS} wants it to be`);
    const { keyId, trustedComment } = await verifyIndexSignature(index, signaturePath, KEYS);
    log.choose(`signature ${signaturePath}`, `by key ${keyId}: ${trustedComment}`);
    return index;
  } catch (error) {
    if (signed || verification(options) === 'full') throw error;
    log.warn(`index not used: ${describeError(error)}`);
    return undefined;
  }
}

/** The medium is not read but through the field's device, which the daemon fills from it. */
async function takeLazily(
  candidate: ImageCandidate,
  index: ChunkIndex,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<SoundImage> {
  await drivers.ensureModules(['nbd']);
  const name = candidate.name || 'image';
  const daemon = startFieldDaemon(localDaemon({ name, id: index.id, path: candidate.path }, options, true), 'now');
  await openField(daemon, drivers, waitOf(options), log);
  return { candidate, name, id: index.id, path: FIELD_DEVICE, isDevice: true, inRam: false, daemon };
}

async function takeImage(
  { candidate }: RankedCandidate,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<SoundImage> {
  const pinned = options.image?.id;
  let index = await takeIndex(candidate, options, log);
  if (options.verify === 'lazy' && index !== undefined && !options.toram)
    return await takeLazily(candidate, index, options, drivers, log);
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
  if (pinned !== undefined && index === undefined && verification(options) === 'off')
    throw new Error('it has no index to tell its id by, and viver.verify=off forbids to compute it');
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
