import { existsSync, mkdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { attachLoop, type LoopDevice } from '../../linux/block/loop.ts';
import { MS, mount, umount } from '../../linux/mount.ts';
import { syncAll } from '../../linux/reboot.ts';
import type { FileSystemType } from '../../media/file-system.ts';
import { READ_ONLY_MOUNTS } from '../../media/mount-options.ts';
import { makeExt4 } from '../../root/keep/ext4-tools.ts';
import { fillFile } from '../../root/keep/fill-file.ts';
import { LEAST_KEEP_BYTES, planFileBytes } from '../../root/keep/room.ts';
import type { BootLog } from '../boot-log.ts';
import { progressLines } from '../progress.ts';
import { keepFailure } from './choice.ts';
import { KEEP_FILE } from './kept-media.ts';

const GIB = 2 ** 30;

/** Media whose file system can hold the file, and the largest file of each. */
const HOLDERS: Partial<Record<FileSystemType, number>> = {
  vfat: 4 * GIB - 1,
  exfat: 32 * GIB,
  ext2: 32 * GIB,
  ext3: 32 * GIB,
  ext4: 32 * GIB,
  xfs: 32 * GIB,
  btrfs: 32 * GIB,
};

export const canHoldFile = (type: FileSystemType): boolean => HOLDERS[type] !== undefined;

/** Options that keep a medium unwritten; without them a journal is replayed, as it must be before a write. */
const NO_REPLAY = new Set(['noload', 'norecovery', 'rescue=nologreplay']);

export interface MountedMedium {
  readonly device: string;
  readonly type: FileSystemType;
  readonly mountpoint: string;
  /** An ISO file on it that is mounted too. */
  readonly iso?: { readonly path: string; readonly mountpoint: string } | undefined;
}

/** Mounts a medium so that it can be written to. */
export function mountWritable(medium: MountedMedium): void {
  mkdirSync(medium.mountpoint, { recursive: true, mode: 0o700 });
  mountMedium(
    medium,
    0,
    READ_ONLY_MOUNTS[medium.type].options.filter((option) => !NO_REPLAY.has(option)),
  );
}

/** Mounts it as the search for images does. */
export function mountReadOnly(medium: MountedMedium): void {
  mountMedium(medium, MS.RDONLY, READ_ONLY_MOUNTS[medium.type].options);
}

const STRANGERS = MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOSYMFOLLOW | MS.NOATIME;

function mountMedium(medium: MountedMedium, readOnly: number, options: readonly string[]): void {
  const { device, type, mountpoint, iso } = medium;
  const flags = readOnly | STRANGERS;
  mount({ source: device, target: mountpoint, type: READ_ONLY_MOUNTS[type].type, flags, data: options.join(',') });
  if (iso === undefined) return;
  using loop = attachLoop({ file: iso.path, autoclear: true });
  mount({ source: loop.path, target: iso.mountpoint, type: 'iso9660', flags: MS.RDONLY | STRANGERS });
}

/** Innermost first; lazily where the daemon, which ends later, may have its image open. */
export function unmountMedium({ mountpoint, iso }: MountedMedium, flags = 0): void {
  if (iso !== undefined) umount(iso.mountpoint, flags);
  umount(mountpoint, flags);
}

/**
 * The file that holds kept changes on a medium, as a block device; made at the first use. It
 * gets its name when it is whole, so that what a power cut leaves is begun anew.
 * @param medium mounted writable
 * @param anew throws away what was kept
 * @throws BootFailure when there is no room
 */
export async function openKeepFile(medium: MountedMedium, anew: boolean, log: BootLog): Promise<LoopDevice> {
  const path = join(medium.mountpoint, 'viver', KEEP_FILE);
  if (anew) rmSync(path, { force: true });
  if (!existsSync(path)) await makeFile(path, medium, log);
  return attachLoop({ file: path, readOnly: false, autoclear: true });
}

async function makeFile(path: string, { device, type, mountpoint }: MountedMedium, log: BootLog): Promise<void> {
  const part = `${path}.part`;
  mkdirSync(dirname(path), { recursive: true });
  rmSync(part, { force: true });
  const { bavail, bsize } = statfsSync(mountpoint);
  const plan = planFileBytes(bavail * bsize, HOLDERS[type] ?? 0);
  const full = (why: string, cause?: unknown) =>
    keepFailure(`no room for changes on ${device} (${type}): ${why}`, {
      first: ['free some room on that medium, or use a larger one'],
      choices: ['ram'],
      cause,
    });
  if (typeof plan === 'string') throw full(plan);
  log.info(`making ${path.slice(mountpoint.length)} for changes on ${device}, up to ${Math.floor(plan / 2 ** 20)} MiB`);
  try {
    const onProgress = progressLines(log, `make /viver/${KEEP_FILE}`);
    await fillFile({ path: part, sizeBytes: plan, leastBytes: LEAST_KEEP_BYTES, onProgress });
    await makeExt4(part);
  } catch (error) {
    rmSync(part, { force: true });
    throw full('it cannot be made', error);
  }
  syncAll();
  renameSync(part, path);
  syncAll();
}
