import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { isSnapshot } from '../../../linux/block/btrfs.ts';
import { cloneMount } from '../../../linux/clone-mount.ts';
import { hasCode } from '../../../linux/errno.ts';
import { parseMountinfo } from '../../../linux/mount.ts';
import { type PlannedMount, planMounts } from './mount-plan.ts';
import type { Crossing, Sees, WalkOptions } from './walk.ts';

/** How a tree is looked at: its root, and what is mounted in it. */
export interface TreeView extends Disposable, Pick<WalkOptions, 'rootFd' | 'crossing' | 'foreign'> {
  readonly mounts: readonly PlannedMount[];
  /** Seen without what is mounted over it, also by who mounts something meanwhile. */
  readonly isPrivate: boolean;
}

export interface ViewWishes {
  /** The tree's directory: its real path, absolute. */
  readonly root: string;
  readonly isSystem: boolean;
  readonly crossAll: boolean;
  readonly asked: readonly string[];
}

const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/**
 * Opens a tree for a walk: with a private view of each of its file systems where this process may make one (root), so
 * that what mounts hide is seen right and no mount is walked into; else as it is, with the mounts known by name.
 */
export function openView(wishes: ViewWishes): TreeView {
  const opened: number[] = [];
  const keep = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  const close = (): void => {
    for (const fd of opened.splice(0)) closeSync(fd);
  };
  try {
    const mounts = planMounts(readMountsAsBytes(), {
      ...wishes,
      root: asBytes(wishes.root),
      asked: wishes.asked.map(asBytes),
      isRemovable,
    });
    const cloned = tryClone(wishes.root);
    const rootFd = keep(cloned ?? openSync(wishes.root, OPEN_DIRECTORY));
    const isPrivate = cloned !== undefined;
    const places = new Map<string, Crossing>();
    for (const planned of mounts) {
      const place = placeOf(planned, isPrivate, keep);
      if (place !== undefined) places.set(planned.path, place);
    }
    return {
      rootFd,
      mounts,
      isPrivate,
      crossing: (path) => places.get(path),
      foreign: (path, fd) => foreignDirectory(path, fd),
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function placeOf(planned: PlannedMount, isPrivate: boolean, keep: (fd: number) => number): Crossing | undefined {
  const { kind, type, why, target, mayHang, pseudo } = planned;
  if (kind === 'enter') {
    return isPrivate ? { kind, fd: keep(cloneMount(Buffer.from(target, 'latin1').toString())) } : { kind };
  }
  // The device files that the disk has for the moment before the kernel's are there.
  if (isPrivate && type === 'devtmpfs') return undefined;
  const sees: Sees = isPrivate ? 'hidden' : mayHang ? 'nothing' : 'mounted';
  return pseudo ? { kind, sees } : { kind, sees, why };
}

/** Without leave to do so, or on a kernel that cannot, the tree is walked as it is. */
function tryClone(path: string): number | undefined {
  try {
    return cloneMount(path);
  } catch (error) {
    if (hasCode(error, 'EPERM', 'ENOSYS', 'EINVAL')) return undefined;
    throw error;
  }
}

/** A directory with a device number of its own where nothing is mounted. */
function foreignDirectory(path: string, fd: number): Crossing {
  try {
    if (isSnapshot(fd, path)) return { kind: 'leave', why: 'a snapshot', sees: 'hidden' };
    return { kind: 'enter' };
  } catch (error) {
    if (hasCode(error, 'ENOTTY', 'EINVAL', 'EOPNOTSUPP')) {
      return { kind: 'leave', why: 'another file system, mounted meanwhile', sees: 'mounted' };
    }
    throw error;
  }
}

/** Names are bytes: a character for each. */
function readMountsAsBytes() {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'latin1'));
}

const asBytes = (text: string): string => Buffer.from(text).toString('latin1');

/** A partition's disk says it for the partition. */
function isRemovable(major: number, minor: number): boolean {
  return ['removable', '../removable'].some((name) => {
    try {
      return readFileSync(`/sys/dev/block/${major}:${minor}/${name}`, 'latin1').trim() === '1';
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return false;
      throw error;
    }
  });
}
