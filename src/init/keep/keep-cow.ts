/**
 * viver.cow=keep: changes are kept on the medium that the image came from, and nowhere else: in a partition behind the
 * image, or in a file where no partition can be made. What cannot be used is told, and a person chooses; changes are
 * never kept in RAM without being asked for.
 */
import { mkdirSync } from 'node:fs';
import { describeError } from '../../linux/describe-error.ts';
import { MNT, MS, mount, umount } from '../../linux/mount.ts';
import { type BlockDevice, readBlockDevices } from '../../media/block-devices.ts';
import type { ImageCandidate } from '../../media/candidate.ts';
import { probeDevice } from '../../media/look.ts';
import { type Cow, type CowImage, mountRamCow } from '../../root/cow.ts';
import { checkExt4 } from '../../root/keep/ext4-tools.ts';
import { giveReserve, isFull, openLayers, readFreeRoom, takeReserve } from '../../root/keep/kept-layers.ts';
import type { BootLog } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { BootFailure } from '../failing/failure.ts';
import { openField, waitOf } from '../source/join-field.ts';
import type { SoundImage } from '../trust/first-sound-image.ts';
import { type KeepChoice, keepFailure, takeChoice } from './choice.ts';
import {
  canHoldFile,
  type MountedMedium,
  mountReadOnly,
  mountWritable,
  openKeepFile,
  unmountMedium,
} from './keep-file.ts';
import { dropKeepPartition, makeKeepPartition } from './keep-partition.ts';
import { KEEP_FILE, keptPartitions } from './kept-media.ts';

/** A check that takes longer is told of. */
const TELL_AFTER_MS = 3000;

interface KeepDevice {
  /** What is mounted. */
  readonly path: string;
  /** What a person calls it. */
  readonly name: string;
  /** Where the medium is mounted that holds it as a file. */
  readonly holder?: string;
  /** Leaves it to who has mounted it. */
  release(): void;
  /** Takes back what was done to the medium. */
  undo(): void;
}

export interface KeptCow {
  readonly cow: Cow;
  /** Unmounts it, and leaves the medium as it was found. */
  undo(): void;
}

/**
 * The upper layer on the boot medium.
 * @throws BootFailure with what a person can choose
 */
export async function keepCow(
  image: SoundImage,
  mountpoint: string,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<KeptCow> {
  const choice = takeChoice();
  if (choice === 'ram') {
    const cow = mountRamCow(mountpoint);
    const note = `${cow.note} (chosen at the prompt in place of viver.cow=keep)`;
    return { cow: { ...cow, note }, undo: () => umount(mountpoint) };
  }
  await drivers.ensureModules(['ext4', 'loop']);
  try {
    return await keptOnMedium(image, choice, mountpoint, options, drivers, log);
  } catch (error) {
    if (error instanceof BootFailure) throw error;
    throw keepFailure(`changes cannot be kept on ${image.candidate.device.path}`, { ...ram, cause: error });
  }
}

async function keptOnMedium(
  image: SoundImage,
  choice: KeepChoice | undefined,
  mountpoint: string,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<KeptCow> {
  using undo = new DisposableStack();
  const device = await openKeep(image, choice, options, drivers, log);
  undo.defer(() => device.undo());
  try {
    await checked(device, choice, log);
    const cow = await mountKept(device, image, choice, mountpoint, log);
    undo.defer(() => umount(mountpoint));
    const undone = undo.move();
    return { cow, undo: () => undone.dispose() };
  } finally {
    device.release(); // when it is mounted the mount holds it
  }
}

async function openKeep(
  image: SoundImage,
  choice: KeepChoice | undefined,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<KeepDevice> {
  const { device: medium } = image.candidate;
  if (medium.medium === 'net') throw keepFailure('the image came over the network: there is no boot medium', ram);
  if (medium.medium === 'cd' || medium.readOnly) throw cannotBeWritten(medium);
  const { devices } = readBlockDevices();
  const kept = await keptPartitions(devices, drivers.mediaAccess);
  const here = kept.filter(({ disk }) => disk === medium.disk);
  const [partition, another] = here;
  if (partition !== undefined && another !== undefined) {
    throw keepFailure(`${here.map(({ path }) => path).join(' and ')} both hold kept changes`, {
      first: [`viver.cow=${partition.path} or viver.cow=${another.path} names one`],
      choices: ['ram'],
    });
  }
  if (partition !== undefined) {
    const path = choice === 'new' ? await dropKeepPartition(partition) : partition.path;
    return onPartition(path ?? (await makeKeepPartition(medium, choice === 'new', log)));
  }
  const mounted = await mountedMedium(image.candidate, drivers);
  if (mounted !== undefined && canHoldFile(mounted.type)) return inFile(mounted, image, choice, options, drivers, log);
  if (mounted !== undefined && mounted.type !== 'iso9660')
    throw keepFailure(`${medium.path} is ${mounted.type}, which this cannot write a file of changes to`, ram);
  const elsewhere = kept.filter(({ disk }) => disk !== medium.disk);
  if (elsewhere.length > 0 && choice !== 'new') {
    const paths = elsewhere.map(({ path }) => path).join(', ');
    throw keepFailure(`changes are kept on ${paths}, but the image came from ${medium.path}`, {
      first: [`viver.cow=${elsewhere[0]?.path} uses them all the same`],
      choices: ['ram', 'new'],
    });
  }
  return onPartition(await makeKeepPartition(medium, choice === 'new', log));
}

const onPartition = (path: string): KeepDevice => ({ path, name: path, release: () => {}, undo: () => {} });

const ram: { readonly choices: readonly KeepChoice[] } = { choices: ['ram'] };

function cannotBeWritten(medium: BlockDevice): Error {
  const what = medium.medium === 'cd' ? 'a CD cannot be written to' : 'it is write-protected';
  return keepFailure(`${medium.path}: ${what}`, {
    first: [
      'write the ISO to a USB stick or an SD card and boot from that',
      'viver.cow=LABEL=… for a partition on another disk',
    ],
    choices: ['ram'],
  });
}

/** What of the boot medium is mounted, with the type of its own file system where the image is in an ISO file on it. */
async function mountedMedium(candidate: ImageCandidate, drivers: Drivers): Promise<MountedMedium | undefined> {
  const { device, fileSystem, mountpoint, iso } = candidate;
  if (mountpoint === undefined) return undefined;
  if (iso === undefined) return { device: device.path, type: fileSystem, mountpoint };
  const { content } = await probeDevice(device, [], drivers.mediaAccess);
  if (content?.usable !== true) throw new Error(`${device.path} cannot be recognised any more`);
  return { device: device.path, type: content.type, mountpoint: iso.mountpoint, iso: { path: iso.path, mountpoint } };
}

/** The medium is mounted anew, so that it can be written to; what reads the image from it goes on at the same path. */
async function inFile(
  medium: MountedMedium,
  image: SoundImage,
  choice: KeepChoice | undefined,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<KeepDevice> {
  const { candidate, daemon, inRam } = image;
  await daemon?.stop();
  if (!inRam) unmountMedium(medium);
  using undo = new DisposableStack();
  // As it was found: another search mounts it read-only beside this mount.
  if (!inRam) undo.defer(() => mountReadOnly(medium));
  try {
    mountWritable(medium);
  } catch (error) {
    throw keepFailure(`${medium.device} cannot be written to: ${describeError(error)}`, { ...ram, cause: error });
  }
  undo.defer(() => unmountMedium(medium, MNT.DETACH));
  const loop = await openKeepFile(medium, choice === 'new', log);
  if (daemon !== undefined) {
    await daemon.moveTo(daemon.request.imagePath ?? candidate.path);
    await openField(daemon, drivers, waitOf(options), log);
  }
  const undone = undo.move();
  const name = `/viver/${KEEP_FILE} on ${medium.device}`;
  const holder = medium.mountpoint;
  return { path: loop.path, name, holder, release: () => loop.release(), undo: () => undone.dispose() };
}

async function checked({ path, name }: KeepDevice, choice: KeepChoice | undefined, log: BootLog): Promise<void> {
  const telling = setTimeout(() => log.info(`${name} is being checked`), TELL_AFTER_MS);
  const verdict = await checkExt4(path, choice === 'repair');
  clearTimeout(telling);
  if (verdict.sound) {
    log.choose(`check of ${name}`, verdict.note);
    if (verdict.note !== 'clean') log.info(`${name}: ${verdict.note}`);
    return;
  }
  throw keepFailure(`the file system with the kept changes, ${name}, is broken: ${verdict.why}`, {
    saw: verdict.lines,
    choices: choice === 'repair' ? ['ram', 'new'] : ['repair', 'ram', 'new'],
  });
}

async function mountKept(
  { path, name, holder }: KeepDevice,
  image: SoundImage,
  choice: KeepChoice | undefined,
  mountpoint: string,
  log: BootLog,
): Promise<Cow> {
  const of: CowImage = { name: image.name, id: image.id, superblock: image.candidate.squashfs.superblock };
  mountExt4(path, name, mountpoint);
  try {
    const full = isFull(readFreeRoom(mountpoint));
    if (full !== undefined && choice !== 'full') {
      throw keepFailure(`${name} is full: ${full}`, { choices: ['full', 'ram', 'new'] });
    }
    if (choice === 'full') giveReserve(mountpoint);
    else if (!(await takeReserve(mountpoint))) log.choose(`reserve on ${name}`, 'there is no room for it');
    const { upper, work, isNew, madeOver } = openLayers(mountpoint, of);
    if (madeOver !== undefined) {
      log.warn(
        `the changes kept for ${of.name} were made over its version ${madeOver}, and now lie over another one: ` +
          'a file that was changed stays as it was changed, whatever the new version has there',
      );
    }
    const state = isNew ? 'begins anew' : 'continues with what was kept';
    const cow = { kind: 'keep', mountpoint, upper, work, note: `${of.name} on ${name} ${state}` };
    return { ...cow, outlivesImage: true, ...(holder === undefined ? {} : { holder }) };
  } catch (error) {
    umount(mountpoint);
    throw error instanceof BootFailure ? error : keepFailure(`${name} cannot be written to`, { ...ram, cause: error });
  }
}

/** The kernel's own default after an error in the file system is to write on. */
function mountExt4(path: string, name: string, mountpoint: string): void {
  mkdirSync(mountpoint, { recursive: true });
  try {
    mount({ source: path, target: mountpoint, type: 'ext4', flags: MS.NOATIME, data: 'errors=remount-ro' });
  } catch (error) {
    throw keepFailure(`${name} cannot be mounted`, { choices: ['repair', 'ram', 'new'], cause: error });
  }
}
