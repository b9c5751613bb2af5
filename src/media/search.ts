import { join } from 'node:path';
import { imageNameOf } from '../image/image-name.ts';
import { SUPERBLOCK_SIZE } from '../image/squashfs.ts';
import type { BlockDevice } from './block-devices.ts';
import { decodeSquashfsIdentity, type ImageCandidate } from './candidate.ts';
import { DETECTION_BYTES, decodeFileSystem, type FileSystem } from './file-system.ts';
import type { MediaAccess } from './media-access.ts';
import { READ_ONLY_MOUNTS } from './mount-options.ts';

export interface SearchOptions {
  /** Loads modules by name and what they need; one that the kernel lacks or has built in is no error. */
  readonly ensureModules: (names: readonly string[]) => Promise<void>;
  /** Devices are mounted below this directory, each under its own name. */
  readonly mountRoot?: string;
  /** How long one device may take to answer before it is passed over. */
  readonly deviceTimeoutMs?: number;
  readonly access: MediaAccess;
  /** Told of each disk as soon as it is done. */
  readonly onDisk?: (reports: readonly DeviceReport[]) => void;
}

/** What was seen on a device, in one line for boot.json. */
export interface DeviceReport {
  readonly device: BlockDevice;
  readonly candidates: readonly ImageCandidate[];
  readonly seen: string;
  /** It could not be read or mounted, which may be otherwise a moment later. */
  readonly failed: boolean;
}

const DEFAULTS = { mountRoot: '/run/viver/media', deviceTimeoutMs: 15_000 };

/** Whole-file searches share the disk with nobody: the limit is for the process table, when there are 300 disks. */
const DISKS_AT_ONCE = 16;

/**
 * Looks on every given device for images: `/viver/*.sqfs` on a file system, or a squashfs alone on the device.
 * Disks are looked at side by side, each device within its own time; one that fails or hangs only shows in its report.
 * A device with a candidate stays mounted, the others do not.
 *
 * Of one disk the partitions are looked at before the disk as a whole, and that only when they held no image: an ISO
 * written to a stick may show on both. A whole disk that has partitions is mounted through a loop device: mounted by
 * itself it would keep its partitions from being mounted, and one of them may be there for `viver.cow`.
 */
export async function findImages(
  devices: readonly BlockDevice[],
  options: SearchOptions,
): Promise<readonly DeviceReport[]> {
  const disks = [...Map.groupBy(devices, (device) => device.disk).values()];
  const reports: DeviceReport[] = [];
  const next = disks.values();
  const workers = Array.from({ length: Math.min(DISKS_AT_ONCE, disks.length) }, async () => {
    for (const disk of next) {
      const ofDisk = await searchDisk(disk, options);
      options.onDisk?.(ofDisk);
      reports.push(...ofDisk);
    }
  });
  await Promise.all(workers);
  return reports;
}

async function searchDisk(devices: readonly BlockDevice[], options: SearchOptions): Promise<readonly DeviceReport[]> {
  const partitions = devices.filter((device) => device.partition !== undefined);
  const reports = await Promise.all(partitions.map((device) => searchDevice(device, false, options)));
  const whole = devices.find((device) => device.partition === undefined);
  if (whole === undefined) return reports;
  const holder = reports.find((report) => report.candidates.length > 0)?.device.name;
  if (holder === undefined) return [...reports, await searchDevice(whole, partitions.length > 0, options)];
  return [...reports, { device: whole, candidates: [], seen: `images are on its partition ${holder}`, failed: false }];
}

async function searchDevice(device: BlockDevice, partitioned: boolean, options: SearchOptions): Promise<DeviceReport> {
  const timeoutMs = options.deviceTimeoutMs ?? DEFAULTS.deviceTimeoutMs;
  const late = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => late.resolve('late'), timeoutMs);
  const looking = lookAt(device, partitioned, options).catch(
    (error: unknown): DeviceReport => ({ device, candidates: [], seen: messageOf(error), failed: true }),
  );
  const first = await Promise.race([looking, late.promise]);
  clearTimeout(timer);
  if (first !== 'late') return first;
  // nobody waits for it any more: what it may still mount would stay for ever
  void looking.then((report) => release([report], options.access));
  // not `failed`: each further try would cost another thread that hangs
  return { device, candidates: [], seen: `no answer in ${timeoutMs / 1000} s`, failed: false };
}

/** Unmounts the media of candidates that are not wanted (any more), each once. */
export async function release(
  reports: readonly { readonly candidates: readonly ImageCandidate[] }[],
  access: MediaAccess,
): Promise<void> {
  const mounts = reports.flatMap((report) => report.candidates.flatMap(({ mountpoint }) => mountpoint ?? []));
  await Promise.all([...new Set(mounts)].map((mountpoint) => access.unmount(mountpoint)));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function lookAt(device: BlockDevice, partitioned: boolean, options: SearchOptions): Promise<DeviceReport> {
  const { access } = options;
  const { bytes } = await access.readStart(device.path, DETECTION_BYTES);
  const content = decodeFileSystem(bytes);
  const seen =
    content === undefined ? 'no known file system' : content.usable ? '' : `${content.type}: ${content.reason}`;
  if (content === undefined || !content.usable) return { device, candidates: [], seen, failed: false };
  if (content.type === 'squashfs') return alone(device, bytes);
  return inFileSystem(device, content, partitioned, options, access);
}

function alone(device: BlockDevice, start: Uint8Array): DeviceReport {
  const candidate: ImageCandidate = {
    name: imageNameOf(device.partition?.label ?? ''),
    device,
    fileSystem: 'squashfs',
    path: device.path,
    squashfs: decodeSquashfsIdentity(start, device.sizeBytes, 'device'),
  };
  return { device, candidates: [candidate], seen: 'an image alone on the device', failed: false };
}

async function inFileSystem(
  device: BlockDevice,
  content: FileSystem,
  partitioned: boolean,
  options: SearchOptions,
  access: MediaAccess,
): Promise<DeviceReport> {
  const row = READ_ONLY_MOUNTS[content.type];
  const mountpoint = join(options.mountRoot ?? DEFAULTS.mountRoot, device.name);
  await options.ensureModules(partitioned ? [...row.modules, 'loop'] : row.modules);
  const loop = partitioned ? access.loop(device.path) : undefined;
  try {
    await access.mount(loop?.path ?? device.path, mountpoint, row.type, row.options);
  } catch (error) {
    // ENODEV: the kernel knows no such file system
    if (!/ENODEV|No such device$/.test(messageOf(error))) throw error;
    throw new Error(`${content.type}: this kernel has no driver for it (${row.type})`, { cause: error });
  } finally {
    loop?.release();
  }
  let report: DeviceReport | undefined;
  try {
    report = await imagesBelow(device, content, mountpoint, access);
    return report;
  } finally {
    if (report === undefined || report.candidates.length === 0) await access.unmount(mountpoint);
  }
}

async function imagesBelow(
  device: BlockDevice,
  content: FileSystem,
  mountpoint: string,
  access: MediaAccess,
): Promise<DeviceReport> {
  const directory = join(mountpoint, 'viver');
  const candidates: ImageCandidate[] = [];
  const seen: string[] = [content.type];
  const names = new Set(await notByLink(access.list(directory)).catch((error) => nothingOf('/viver', error, seen)));
  for (const file of [...names].sort()) {
    if (!file.endsWith('.sqfs') || file.startsWith('.')) continue;
    const name = file.slice(0, -'.sqfs'.length);
    const path = join(directory, file);
    try {
      const start = await notByLink(access.readStart(path, SUPERBLOCK_SIZE));
      const squashfs = decodeSquashfsIdentity(start.bytes, regularBytes(start), 'file');
      const index = `${name}.caibx`;
      candidates.push({
        name: imageNameOf(name),
        device,
        fileSystem: content.type,
        mountpoint,
        path,
        squashfs,
        ...(names.has(index) ? { indexPath: join(directory, index) } : {}),
        ...(names.has(`${index}.minisig`) ? { signaturePath: join(directory, `${index}.minisig`) } : {}),
      });
      seen.push(file);
    } catch (error) {
      seen.push(`${file}: ${messageOf(error)}`);
    }
  }
  if (seen.length === 1) seen.push(names.size === 0 ? 'no directory /viver' : 'no image in /viver');
  return { device, candidates, seen: seen.join(', '), failed: false };
}

/** ELOOP is what the kernel says of a link that may not be followed. */
async function notByLink<T>(opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if (/\bELOOP\b/.test(messageOf(error))) throw new Error('a link, which is not followed', { cause: error });
    throw error;
  }
}

function regularBytes({ fileBytes }: { readonly fileBytes?: number }): number {
  if (fileBytes === undefined) throw new Error('no regular file');
  return fileBytes;
}

function nothingOf(what: string, error: unknown, seen: string[]): readonly string[] {
  if (!(error instanceof Error && /a link/.test(error.message))) throw error;
  seen.push(`${what}: ${error.message}`);
  return [];
}
