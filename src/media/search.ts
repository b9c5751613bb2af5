import { join } from 'node:path';
import { hasCode } from '../linux/errno.ts';
import type { BlockDevice } from './block-devices.ts';
import { BtrfsSets } from './btrfs-sets.ts';
import { type ImageCandidate, mountsOf } from './candidate.ts';
import { messageOf } from './inside.ts';
import { type DeviceReport, type LookOptions, lookAt, type NamedIso, type Probed, probeDevice } from './look.ts';
import type { MediaAccess } from './media-access.ts';

export interface SearchOptions {
  /** Loads modules by name and what they need; one that the kernel lacks or has built in is no error. */
  readonly ensureModules: (names: readonly string[]) => Promise<void>;
  /** Devices are mounted below this directory, each under its own name. */
  readonly mountRoot?: string;
  /** How long one device may take to answer before it is passed over. */
  readonly deviceTimeoutMs?: number;
  readonly access: MediaAccess;
  /** The ISO file that the boot loader named. */
  readonly namedIso?: NamedIso;
  /** See LookOptions. */
  readonly isWanted?: (candidate: ImageCandidate) => boolean;
  /** Told of each disk as soon as it is done. */
  readonly onDisk?: (reports: readonly DeviceReport[]) => void;
  /** Told of a device that answered after it had been passed over; without it what it mounted is taken down. */
  readonly onLate?: (report: DeviceReport) => void;
}

/** What searches of one boot share. */
export interface SearchState {
  readonly btrfs: BtrfsSets;
  /** See LookOptions. */
  readonly doubtful: Set<string>;
  /** By device name: so often it was mounted, since a mount that is taken down later must not be met by the next. */
  readonly mounts: Map<string, number>;
}

export const newSearchState = (): SearchState => ({
  btrfs: new BtrfsSets(),
  doubtful: new Set(),
  mounts: new Map(),
});

export const MOUNT_ROOT = '/run/viver/private/media';
const DEVICE_TIMEOUT_MS = 15_000;

/** Disks, and partitions of a disk: there may be 300 disks, or 500 partitions, and each look takes memory. */
const AT_ONCE = 16;

/**
 * Looks on every given device for images: `/viver/*.sqfs` on a file system or in an ISO file on it, or a squashfs alone
 * on the device. Disks are looked at side by side, each device within its own time; one that fails or hangs only shows
 * in its report. A device with a candidate stays mounted, the others do not.
 *
 * Of one disk the partitions are looked at before the disk as a whole, and that only when they held no image: an ISO
 * written to a stick may show on both. A whole disk that has partitions is mounted through a loop device: mounted by
 * itself it would keep its partitions from being mounted, and one of them may be there for `viver.cow`. The partitions
 * that show on a member of a RAID are the RAID's.
 */
export async function findImages(
  devices: readonly BlockDevice[],
  options: SearchOptions,
  state = newSearchState(),
): Promise<readonly DeviceReport[]> {
  const disks = [...Map.groupBy(devices, (device) => device.disk).values()];
  const reports = await sideBySide(disks, async (disk) => {
    const ofDisk = await searchDisk(disk, options, state);
    options.onDisk?.(ofDisk);
    return ofDisk;
  });
  return reports.flat();
}

/** The results in the order of the items; so many are under way at once. */
async function sideBySide<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const next = items.entries();
  const workers = Array.from({ length: Math.min(AT_ONCE, items.length) }, async () => {
    for (const [place, item] of next) results[place] = await act(item);
  });
  await Promise.all(workers);
  return results;
}

async function searchDisk(
  devices: readonly BlockDevice[],
  options: SearchOptions,
  state: SearchState,
): Promise<readonly DeviceReport[]> {
  const partitions = devices.filter((device) => device.partition !== undefined);
  const whole = devices.find((device) => device.partition === undefined);
  const look = lookOptions(options, state);
  // the disk itself meanwhile: it costs no time of its own
  const probing =
    whole === undefined || partitions.length === 0
      ? undefined
      : within(options, probeDevice(whole, partitions, options.access)).catch(() => undefined);
  const reports = await sideBySide(partitions, (device) =>
    searchDevice(device, () => lookAt(device, [], look), options),
  );
  if (whole === undefined) return reports;
  const probed = await probing;
  const content = probed === 'late' ? undefined : probed?.content;
  if (content?.usable === false && content.isMember === true) {
    await release(reports, options.access);
    const seen = `on ${whole.name}, which is a ${content.type}`;
    return [...partitions.map((device) => ({ device, candidates: [], seen })), wholeReport(whole, content)];
  }
  const holder = reports.find((report) => report.candidates.length > 0)?.device.name;
  if (holder !== undefined)
    return [...reports, { device: whole, candidates: [], seen: `images are on its partition ${holder}` }];
  const known = probed === 'late' ? undefined : probed;
  return [...reports, await searchDevice(whole, () => lookAt(whole, partitions, look, known), options)];
}

function wholeReport(device: BlockDevice, { type, reason }: { type: string; reason: string }): DeviceReport {
  return { device, candidates: [], seen: `${type}: ${reason}` };
}

function lookOptions(options: SearchOptions, { btrfs, doubtful, mounts }: SearchState): LookOptions {
  return {
    access: options.access,
    ensureModules: options.ensureModules,
    btrfs,
    doubtful,
    ...(options.namedIso === undefined ? {} : { namedIso: options.namedIso }),
    ...(options.isWanted === undefined ? {} : { isWanted: options.isWanted }),
    mountpoint({ name }) {
      const count = mounts.get(name) ?? 0;
      mounts.set(name, count + 1);
      return join(options.mountRoot ?? MOUNT_ROOT, count === 0 ? name : `${name}.${count}`);
    },
  };
}

/** The answer, or that it is late. */
async function within<T>({ deviceTimeoutMs }: SearchOptions, answer: Promise<T>): Promise<T | 'late'> {
  const late = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => late.resolve('late'), deviceTimeoutMs ?? DEVICE_TIMEOUT_MS);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function searchDevice(
  device: BlockDevice,
  look: () => Promise<DeviceReport>,
  options: SearchOptions,
): Promise<DeviceReport> {
  const looking = look().catch(
    (error: unknown): DeviceReport => ({ device, candidates: [], seen: messageOf(error), again: failureOf(error) }),
  );
  const first = await within(options, looking);
  if (first !== 'late') return first;
  void looking.then((report) => {
    if (options.onLate !== undefined) return options.onLate(report);
    // nobody waits for it any more: what it has mounted would stay for ever; or it has gone, and its mount before
    return release([report], options.access).catch(() => {});
  });
  const seconds = (options.deviceTimeoutMs ?? DEVICE_TIMEOUT_MS) / 1000;
  return { device, candidates: [], seen: `no answer in ${seconds} s`, again: 'silent' };
}

/** A card may have been taken out between the look at sysfs and the open. */
const failureOf = (error: unknown) => (/ENOMEDIUM|No medium found/.test(messageOf(error)) ? 'no medium' : 'failed');

/** Unmounts the media of candidates that are not wanted (any more), each once, what lies inside before what it is in. */
export async function release(
  reports: readonly { readonly candidates: readonly ImageCandidate[] }[],
  access: Pick<MediaAccess, 'unmount'>,
): Promise<void> {
  await releaseMounts(
    reports.flatMap((report) => report.candidates.flatMap(mountsOf)),
    access,
  );
}

/** @param mounts the innermost first, which is also the order in which they are unmounted */
export async function releaseMounts(mounts: readonly string[], access: Pick<MediaAccess, 'unmount'>): Promise<void> {
  const isInner = (path: string) => /\.iso\d+$/.test(path);
  const all = [...new Set(mounts)];
  // its device may have gone, and the mount before
  const unmount = (path: string) =>
    access.unmount(path).catch((error) => {
      if (!hasCode(error, 'EINVAL', 'ENOENT')) throw error;
    });
  await Promise.all(all.filter(isInner).map(unmount));
  await Promise.all(all.filter((path) => !isInner(path)).map(unmount));
}

export type { DeviceReport, Probed };
