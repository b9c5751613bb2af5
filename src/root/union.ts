import { mkdirSync } from 'node:fs';
import { MS } from '../linux/mount.ts';
import { adoptRootAttributes, type Cow } from './cow.ts';
import { type Mounter, mounter } from './mounter.ts';

/**
 * overlayfs' options and why. redirect_dir is on, so that renaming a directory of the image neither fails by EXDEV nor
 * copies it to RAM. index stays off: it would tie an upper layer on a disk to one file system instance and
 * refuse the same image on another medium. metacopy stays off: a kept upper layer can then be read by itself.
 */
const OVERLAY_OPTIONS = [
  'index=off',
  'metacopy=off',
  'xino=auto', // one device number and stable inode numbers where they fit
];

export interface UnionRequest {
  /** A block device that begins with the image: a partition, a loop device, /dev/nbdN. */
  readonly device: string;
  /** Where the image itself is mounted. */
  readonly lower: string;
  readonly cow: Cow;
  /** Where the root is put together; must not lie below what is moved into it later (/run). */
  readonly target: string;
  /** How the overlay is mounted, once the image is there; left out: by this process as it is. */
  readonly mountOverlay?: Mounter['mount'];
}

/** A colon or comma in a path would end it for overlayfs, and it takes a backslash before them. */
function escaped(path: string): string {
  return path.replace(/[\\:,]/g, (character) => `\\${character}`);
}

export function overlayData(lower: string, cow: Pick<Cow, 'upper' | 'work' | 'outlivesImage'>): string {
  const layers = [`lowerdir=${escaped(lower)}`, `upperdir=${escaped(cow.upper)}`, `workdir=${escaped(cow.work)}`];
  // A renamed directory then keeps no path into the image, which a newer one may not have: it is copied whole by mv.
  const renames = cow.outlivesImage === true ? 'redirect_dir=off' : 'redirect_dir=on';
  return [...layers, renames, ...OVERLAY_OPTIONS].join(',');
}

/**
 * Mounts the image read-only.
 * @throws SyscallError: EINVAL for a broken superblock or a compression the kernel lacks, EIO for a device cut short
 */
export function mountImage(device: string, target: string, system: Mounter = mounter): void {
  mkdirSync(target, { recursive: true });
  system.mount({ source: device, target, type: 'squashfs', flags: MS.RDONLY | MS.NOATIME });
}

/** Puts the root together: image below, writes above. */
export function mountUnion(request: UnionRequest, system: Mounter = mounter): void {
  const { device, lower, cow, target, mountOverlay = system.mount } = request;
  mountImage(device, lower, system);
  adoptRootAttributes(lower, cow.upper);
  mkdirSync(target, { recursive: true });
  // AppArmor sees what lies in the upper layer by its path in its own file system; snapd finds that path by taking the
  // source of the overlay away from the front of upperdir, as live systems with a source of this kind need it too.
  mountOverlay({ source: cow.mountpoint, target, type: 'overlay', data: overlayData(lower, cow) });
}
