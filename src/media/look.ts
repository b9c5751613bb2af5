import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { imageNameOf } from '../image/image-name.ts';
import type { BlockDevice } from './block-devices.ts';
import type { BtrfsSets } from './btrfs-sets.ts';
import { decodeSquashfsIdentity, type ImageCandidate } from './candidate.ts';
import { type DeviceContent, probeContent } from './content/content.ts';
import type { Geometry } from './content/geometry.ts';
import { runProbe } from './content/probe.ts';
import { volumeLabel } from './content/volume-label.ts';
import { btrfsMembers, type FileSystem } from './file-system.ts';
import { lookInside, messageOf, type Seen } from './inside.ts';
import type { MediaAccess, MediumFile } from './media-access.ts';
import { READ_ONLY_MOUNTS } from './mount-options.ts';

/** What was seen on a device, in one line for boot.json. */
export interface DeviceReport {
  readonly device: BlockDevice;
  readonly candidates: readonly ImageCandidate[];
  readonly seen: string;
  /**
   * Why it is worth another look later: there is no medium in it, which is asked without reading; or it failed or was
   * silent, which may be otherwise a moment later. Undefined: all has been seen.
   */
  readonly again?: 'no medium' | 'failed' | 'silent';
}

export interface LookOptions {
  readonly access: MediaAccess;
  /** Loads modules by name and what they need; one that the kernel lacks or has built in is no error. */
  readonly ensureModules: (names: readonly string[]) => Promise<void>;
  /** A place for a mount that nothing else uses. */
  readonly mountpoint: (device: BlockDevice) => string;
  readonly btrfs: BtrfsSets;
  /** Paths of CD drives that could not be read the last time. */
  readonly doubtful: Set<string>;
  /** The ISO file that the boot loader named, on the devices that it may be on. */
  readonly namedIso?: NamedIso;
  /** Whether an image may be booted: where one may, no ISO file is looked into. */
  readonly isWanted?: (candidate: ImageCandidate) => boolean;
}

export interface NamedIso {
  /** From the root of the file system: `/iso/viver.iso`. */
  readonly path: string;
  /** Undefined: on any. */
  readonly isOn?: (device: BlockDevice) => Promise<boolean>;
}

/** What a device holds, by its signatures. */
export interface Probed {
  readonly content: DeviceContent['content'];
  readonly start: Uint8Array;
  readonly isVentoy: boolean;
}

/** The geometry of a device, with the partitions that the kernel shows on it. */
export function geometryOf(device: BlockDevice, partitions: readonly BlockDevice[]): Geometry {
  const { sizeBytes, sectorBytes, medium, partition } = device;
  const spans = partitions.map((part) => ({ offset: part.partition?.startBytes ?? 0, length: part.sizeBytes }));
  const isAta = medium === 'sata' || medium === 'ide';
  return {
    sizeBytes,
    sectorBytes,
    isCd: medium === 'cd',
    isAta,
    ...(partition === undefined ? { partitions: spans } : {}),
  };
}

/** Ventoy's partition is called so unless a person renamed it. */
const VENTOY_LABEL = /^ventoy$/i;

/** @throws Error when the device cannot be read */
export async function probeDevice(
  device: BlockDevice,
  partitions: readonly BlockDevice[],
  access: Pick<MediaAccess, 'open'>,
): Promise<Probed> {
  await using file = await access.open(device.path);
  const read = readerOf(file);
  const { content, start } = await runProbe(probeContent(geometryOf(device, partitions)), read);
  const mayBeVentoy = content?.usable === true && device.partition?.number === 1 && content.type !== 'squashfs';
  const label = mayBeVentoy ? await runProbe(volumeLabel(start), read).catch(() => undefined) : undefined;
  return { content, start, isVentoy: VENTOY_LABEL.test(label ?? '') };
}

/** The start must be readable; a device whose end is not is one that lies about its size, and has no signature there. */
function readerOf(file: MediumFile): (span: { offset: number; length: number }) => Promise<Uint8Array> {
  return (span) => (span.offset === 0 ? file.read(span) : file.read(span).catch(() => new Uint8Array(0)));
}

/** A disc that was just put in takes seconds to be readable. */
const DISC_ASKED_MS = 250;
/** What a CD drive without a disc has for a size (drivers/scsi/sr.c, get_sectorsize). */
const NO_DISC_BYTES = 0x1f_ffff * 512;

/** @returns whether there is a medium; waits for one that is coming */
async function hasMedium(path: string, access: MediaAccess): Promise<boolean> {
  for (;;) {
    const state = await access.medium(path, true);
    if (state !== 'coming') return state === 'in';
    await sleep(DISC_ASKED_MS);
  }
}

/**
 * A CD drive is asked for its disc, which reads nothing, before it is read; but for the first time, when its size says
 * that the kernel has seen one: the call may have to wait for others.
 */
async function readDrive(
  device: BlockDevice,
  { access, doubtful }: LookOptions,
  read: () => Promise<Probed>,
): Promise<Probed | undefined> {
  const isDoubtful = device.sizeBytes === NO_DISC_BYTES || doubtful.has(device.path);
  if (isDoubtful && !(await hasMedium(device.path, access))) return undefined;
  try {
    const probed = await read();
    doubtful.delete(device.path);
    return probed;
  } catch (error) {
    doubtful.add(device.path);
    if (await hasMedium(device.path, access)) throw error;
    return undefined;
  }
}

/**
 * Looks at one device: what it is part of, its file system, the images in it.
 * @param partitions of a whole disk: it is then mounted through a loop device, so that they can still be mounted
 * @param known what was seen on it already
 */
export async function lookAt(
  device: BlockDevice,
  partitions: readonly BlockDevice[],
  options: LookOptions,
  known?: Probed,
): Promise<DeviceReport> {
  const read = async () => known ?? (await probeDevice(device, partitions, options.access));
  const probed = device.medium === 'cd' ? await readDrive(device, options, read) : await read();
  if (probed === undefined) return { device, candidates: [], seen: 'no disc in it', again: 'no medium' };
  const { content, start } = probed;
  const seen =
    content === undefined ? 'no known file system' : content.usable ? '' : `${content.type}: ${content.reason}`;
  if (content === undefined || !content.usable) return { device, candidates: [], seen };
  if (content.type === 'squashfs') return alone(device, start);
  return inFileSystem(device, content, probed, partitions.length > 0, options);
}

function alone(device: BlockDevice, start: Uint8Array): DeviceReport {
  const candidate: ImageCandidate = {
    name: imageNameOf(device.partition?.label ?? ''),
    device,
    fileSystem: 'squashfs',
    path: device.path,
    squashfs: decodeSquashfsIdentity(start, device.sizeBytes, 'device'),
  };
  return { device, candidates: [candidate], seen: 'an image alone on the device' };
}

async function inFileSystem(
  device: BlockDevice,
  content: FileSystem,
  probed: Probed,
  isPartitioned: boolean,
  options: LookOptions,
): Promise<DeviceReport> {
  const row = READ_ONLY_MOUNTS[content.type];
  await options.ensureModules(isPartitioned ? [...row.modules, 'loop'] : row.modules);
  if (content.type !== 'btrfs') {
    const seen = await mountAndLook(device, content, probed, isPartitioned, row.options, options);
    return { device, candidates: seen.candidates, seen: [content.type, ...seen.words].join(', ') };
  }
  const place = await joinBtrfs(device, probed.start, options);
  if (place !== undefined) return { device, candidates: [], seen: place };
  try {
    // the default subvolume first; from the top all others are seen
    let seen: Seen = { candidates: [], words: [] };
    for (const top of [[], ['subvolid=5']]) {
      seen = await mountAndLook(device, content, probed, isPartitioned, [...row.options, ...top], options);
      if (seen.candidates.length > 0) break;
    }
    return { device, candidates: seen.candidates, seen: [content.type, ...seen.words].join(', ') };
  } catch (error) {
    options.btrfs.leave(device.path);
    throw error;
  }
}

/** @returns why a device of a btrfs over several is not mounted (yet); undefined when it is to be mounted */
async function joinBtrfs(device: BlockDevice, start: Uint8Array, options: LookOptions): Promise<string | undefined> {
  const set = btrfsMembers(start);
  if (set === undefined || set.devices < 2) return undefined;
  await options.access.registerBtrfs(device.path);
  const place = options.btrfs.arrive(set.uuid, set.devices, device.path);
  if (place.kind === 'complete') return undefined;
  return place.kind === 'elsewhere'
    ? `btrfs over ${set.devices} devices, seen on ${place.path}`
    : `btrfs over ${set.devices} devices, of which ${place.here} ${place.here === 1 ? 'is' : 'are'} here`;
}

async function mountAndLook(
  device: BlockDevice,
  content: FileSystem,
  { isVentoy }: Probed,
  isPartitioned: boolean,
  mountOptions: readonly string[],
  options: LookOptions,
): Promise<Seen> {
  const { access, namedIso } = options;
  const row = READ_ONLY_MOUNTS[content.type];
  const mountpoint = options.mountpoint(device);
  const loop = isPartitioned ? access.loop(device.path) : undefined;
  try {
    await access.mount(loop?.path ?? device.path, mountpoint, row.type, mountOptions);
  } catch (error) {
    // ENODEV: the kernel knows no such file system
    if (!/ENODEV|No such device$/.test(messageOf(error))) throw error;
    throw new Error(`${content.type}: this kernel has no driver for it (${row.type})`, { cause: error });
  } finally {
    loop?.release();
  }
  let seen: Seen | undefined;
  try {
    const roots = content.type === 'btrfs' ? await subvolumes(mountpoint, access) : ['.'];
    const isOn = namedIso === undefined || (await (namedIso.isOn?.(device) ?? true));
    seen = await lookInside(
      { device, type: content.type, mountpoint, roots, isVentoy },
      {
        access,
        ensureModules: options.ensureModules,
        ...(namedIso === undefined || !isOn ? {} : { namedIso: namedIso.path }),
        ...(options.isWanted === undefined ? {} : { isWanted: options.isWanted }),
      },
    );
    return seen;
  } finally {
    if (seen === undefined || seen.candidates.length === 0) await access.unmount(mountpoint);
  }
}

/** Snapshots may be many; systems are few. */
const MOST_SUBVOLUMES = 50;

/** The root of a btrfs and the subvolumes directly in it: `@`, `root`. */
async function subvolumes(mountpoint: string, access: MediaAccess): Promise<readonly string[]> {
  const folders = await access.folders(mountpoint);
  const are = await Promise.all(folders.map((folder) => access.isSubvolume(join(mountpoint, folder))));
  return [
    '/',
    ...folders
      .filter((_, i) => are[i] === true)
      .sort()
      .slice(0, MOST_SUBVOLUMES),
  ];
}
