import type { ChunkIndex } from '../../image/chunk-index.ts';
import { openImage } from '../../image/image-file.ts';
import { readIndexFile } from '../../image/index-file.ts';
import { makeChunkIndex } from '../../image/make-index.ts';
import { verifyIndexSignature } from '../../image/signature.ts';
import { verifyImage } from '../../image/verify.ts';
import { describeError } from '../../linux/describe-error.ts';
import { umount } from '../../linux/mount.ts';
import type { ImageCandidate } from '../../media/candidate.ts';
import type { RankedCandidate } from '../../media/choose.ts';
import { copyToRam, RAM_COPY, type RamCopy } from '../../root/toram.ts';
import type { BootLog, StageDone } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { progressLines } from '../progress.ts';
import type { FieldDaemon } from '../source/field-daemon.ts';
import type { FoundMedia } from '../source/find-media.ts';
import type { Refusals } from '../source/refusals.ts';
import { hasCheckingDevice, openCheckingDevice } from './checking-device.ts';
import { KEYS, whoWantsSignature } from './signing-keys.ts';
import { planVerification, type VerificationPlan } from './verification.ts';

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
  const plan = planVerification(options, whoWantsSignature());
  if (plan.warning !== undefined) log.warn(plan.warning);
  for (const ranked of media.ranked) {
    const { candidate } = ranked;
    try {
      const image = await takeImage(ranked, plan, options, drivers, log);
      await media.release(image.inRam ? undefined : candidate);
      log.choose(`image ${candidate.path} on ${candidate.device.path}`, ranked.reason);
      return { value: image, note: noteOf(image, plan) };
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

function noteOf(image: SoundImage, { check }: VerificationPlan): string {
  const whole = check === 'off' ? 'not checked' : 'checked against its index';
  const read = check === 'full' ? `${whole}, and each chunk again as it is read` : 'each chunk checked as it is read';
  const checked = image.daemon === undefined ? whole : read;
  return `${image.name}${image.id === undefined ? '' : `@${image.id.slice(0, 12)}`} ${checked}${image.inRam ? ', in RAM' : ''}`;
}

/** The index beside the image, as far as it must be genuine. */
async function takeIndex(
  candidate: ImageCandidate,
  plan: VerificationPlan,
  options: BootOptions,
  log: BootLog,
): Promise<ChunkIndex | undefined> {
  const { indexPath, signaturePath } = candidate;
  const signed = whoWantsSignature();
  if (indexPath === undefined) {
    if (signed !== undefined) throw new Error(`it has no signed index, and ${signed} wants one`);
    return undefined;
  }
  try {
    const index = await readIndexFile(indexPath, options.image?.id);
    if (signed === undefined) return index;
    if (signaturePath === undefined) throw new Error(`${indexPath} is not signed, and ${signed} wants it to be`);
    const { keyId, trustedComment } = await verifyIndexSignature(index, signaturePath, KEYS);
    log.choose(`signature ${signaturePath}`, `by key ${keyId}: ${trustedComment}`);
    return index;
  } catch (error) {
    if (signed !== undefined || plan.check !== 'off') throw error;
    log.warn(`index not used: ${describeError(error)}`);
    return undefined;
  }
}

/** Copied to RAM when that is asked for, and checked as far as the plan says; what was checked is what is then read. */
async function takeImage(
  { candidate }: RankedCandidate,
  plan: VerificationPlan,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<SoundImage> {
  const pinned = options.image?.id;
  const given = await takeIndex(candidate, plan, options, log);
  if (given === undefined && pinned !== undefined && plan.check === 'off')
    throw new Error('it has no index to tell its id by, and viver.verify=off forbids to compute it');
  // The next candidate wants its memory.
  using undo = new DisposableStack();
  const copy = options.toram ? await copyCandidate(candidate, log) : undefined;
  if (copy !== undefined) undo.defer(() => umount(RAM_COPY));
  const path = copy?.path ?? candidate.path;
  const isLazy = plan.check === 'lazy' && given !== undefined && copy === undefined;
  const index = plan.check === 'off' || isLazy ? given : await checkImage(path, given, pinned, log);
  const image = { candidate, name: candidate.name || 'image', id: index?.id };
  if (copy !== undefined) {
    undo.move();
    return { ...image, path, isDevice: false, inRam: true };
  }
  // An index that was made of the image itself says what the image is, and only a pin says what it should be.
  const isChecked = plan.check !== 'off' && (given !== undefined || pinned !== undefined);
  if (isChecked && index !== undefined && (await mayReadChecked(plan, drivers, log))) {
    const device = await openCheckingDevice(candidate, index, options, drivers, log);
    return { ...image, ...device, isDevice: true, inRam: false };
  }
  return { ...image, path, isDevice: candidate.mountpoint === undefined, inRam: false };
}

/** @throws Error when there is no device that checks what is read, and it must be */
async function mayReadChecked(plan: VerificationPlan, drivers: Drivers, log: BootLog): Promise<boolean> {
  if (await hasCheckingDevice(drivers)) return true;
  const why = 'this kernel has no nbd driver, through which what was checked is read';
  if (plan.isBinding) throw new Error(`${why}: boot with viver.toram`);
  log.warn(`${why}: the medium is read without it`);
  return false;
}

function copyCandidate(candidate: ImageCandidate, log: BootLog): Promise<RamCopy> {
  const { name, path, squashfs, indexPath, signaturePath } = candidate;
  return copyToRam({
    source: path,
    sizeBytes: squashfs.sizeBytes,
    name: `${name || 'image'}.sqfs`,
    beside: [indexPath, signaturePath].filter((file) => file !== undefined),
    mountpoint: RAM_COPY,
    onProgress: progressLines(log, `copy ${name} to RAM`),
  });
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
