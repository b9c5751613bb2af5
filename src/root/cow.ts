import { chmodSync, chownSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { MS } from '../linux/mount.ts';
import { getXattr, setXattr } from '../linux/xattr.ts';
import { type Mounter, mounter } from './mounter.ts';
import { LABEL } from './selinux.ts';

/** Where writes go: the two directories overlayfs wants, on one file system. */
export interface Cow {
  /** `ram`, `keep`, or the device node: what the summary line says after `cow=`. */
  readonly kind: string;
  readonly mountpoint: string;
  readonly upper: string;
  readonly work: string;
  /** What a person should know of it, in one line. */
  readonly note: string;
  /** The upper layer may come to lie over another version of the image: no notes in it may point into the image. */
  readonly outlivesImage?: true;
  /** Where the medium is mounted, writable, that holds the upper layer in a file. */
  readonly holder?: string;
}

export interface CowImage {
  readonly name: string;
  /** SHA-256 of the image's index in hex, where it is known. */
  readonly id: string | undefined;
  /** SHA-256 of its squashfs superblock in hex: tells images apart that have no index. */
  readonly superblock: string;
}

/** A file system that `viver.cow=` names. */
export interface CowDevice {
  readonly path: string;
  /** As the media area names it: `ext4`, `vfat`, `LUKS`; undefined for nothing known. */
  readonly type: string | undefined;
}

const MIB = 1024 * 1024;

/** tmpfs's own default of half the RAM, and an inode for each 16 KiB of it: small files are what fills an upper layer. */
const RAM_SHARE = 0.5;
const BYTES_PER_INODE = 16 * 1024;

/** The tmpfs options for an upper layer in RAM, for a machine of so many bytes. */
export function planRamCow(memoryBytes: number): { readonly data: string; readonly sizeBytes: number } {
  const sizeBytes = Math.floor((memoryBytes * RAM_SHARE) / MIB) * MIB;
  const inodes = Math.max(65_536, Math.ceil(sizeBytes / BYTES_PER_INODE));
  return { data: `size=${sizeBytes},nr_inodes=${inodes},mode=0755`, sizeBytes };
}

/**
 * What can hold an upper layer. overlayfs (Documentation/filesystems/overlayfs.rst) wants trusted.* extended
 * attributes, a type in each directory entry, and whiteouts: device nodes, so no `nodev` file system either.
 */
const UPPER_TYPES: Readonly<Record<string, { readonly type: string; readonly options: string }>> = {
  ext2: { type: 'ext4', options: '' },
  ext3: { type: 'ext4', options: '' },
  ext4: { type: 'ext4', options: '' },
  xfs: { type: 'xfs', options: '' },
  btrfs: { type: 'btrfs', options: '' },
};

const FOREIGN = 'knows neither owners and permissions of files nor the attributes that overlayfs keeps its notes in';
const NO_UPPER: Readonly<Record<string, string>> = {
  vfat: FOREIGN,
  exfat: FOREIGN,
  ntfs: FOREIGN,
  iso9660: 'cannot be written to',
  squashfs: 'cannot be written to',
};

/** The kernel modules that mounting such a device needs. */
export function cowModules(device: CowDevice): readonly string[] {
  return [planDeviceCow(device).type];
}

/**
 * How to mount the device for an upper layer.
 * @throws Error that says why it cannot be one
 */
export function planDeviceCow(device: CowDevice, word = 'viver.cow'): { readonly type: string; readonly data: string } {
  if (device.type === undefined) throw new Error(`${word}: ${device.path} has no file system; make one by mkfs.ext4`);
  const row = UPPER_TYPES[device.type];
  if (row !== undefined) return { type: row.type, data: row.options };
  const why = NO_UPPER[device.type] ?? 'is nothing files can be written to';
  const usable = Object.keys(UPPER_TYPES).join(', ');
  throw new Error(`${word}: ${device.path} is ${device.type}, which ${why}; use one of ${usable}`);
}

/**
 * The directory of an image's writes on a disk, below `/viver/cow`. An upper layer belongs to exactly the image it was
 * made over: a rebuilt image of the same name has another key and begins anew.
 */
export function cowKey(image: CowImage): string {
  return `${image.name}-${(image.id ?? image.superblock).slice(0, 12)}`;
}

function makeLayers(directory: string): { readonly upper: string; readonly work: string } {
  const upper = join(directory, 'upper');
  const work = join(directory, 'work');
  mkdirSync(upper, { recursive: true, mode: 0o755 });
  mkdirSync(work, { recursive: true, mode: 0o700 });
  return { upper, work };
}

/** An upper layer in RAM: gone when the machine is switched off. */
export function mountRamCow(mountpoint: string, system: Mounter = mounter): Cow {
  const { data, sizeBytes } = planRamCow(totalmem());
  mkdirSync(mountpoint, { recursive: true });
  system.mount({ source: 'viver-cow', target: mountpoint, type: 'tmpfs', flags: 0, data });
  const note = `writes go to RAM, up to ${Math.round(sizeBytes / MIB)} MiB, and are gone at power-off`;
  return { kind: 'ram', mountpoint, ...makeLayers(mountpoint), note };
}

/**
 * An upper layer on a disk, kept over reboots for this image. A journal left dirty is replayed by the mount.
 * @throws Error when the file system cannot be an upper layer, SyscallError when it cannot be mounted
 */
export function mountDeviceCow(device: CowDevice, image: CowImage, mountpoint: string, system: Mounter = mounter): Cow {
  const { type, data } = planDeviceCow(device);
  mkdirSync(mountpoint, { recursive: true });
  system.mount({ source: device.path, target: mountpoint, type, flags: MS.NOATIME, data });
  const all = join(mountpoint, 'viver/cow');
  const key = cowKey(image);
  mkdirSync(all, { recursive: true, mode: 0o755 });
  const present = readdirSync(all);
  const layers = makeLayers(join(all, key));
  const others = present.filter((name) => name !== key);
  const state = present.includes(key) ? 'continues with what was written before' : 'begins anew';
  const kept = others.length === 0 ? '' : `; kept for other images: ${others.sort().join(', ')}`;
  return { kind: device.path, mountpoint, ...layers, note: `${key} on ${device.path} ${state}${kept}` };
}

/** overlayfs shows the upper layer's own owner, mode and label on the root directory: they are to be the image's. */
export function adoptRootAttributes(lower: string, upper: string): void {
  const { mode, uid, gid } = statSync(lower);
  chownSync(upper, uid, gid);
  chmodSync(upper, mode & 0o7777);
  const label = getXattr(lower, LABEL);
  if (label !== undefined) setXattr(upper, LABEL, label);
}
