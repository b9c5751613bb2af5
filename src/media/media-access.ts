import { constants, fstatSync, mkdirSync } from 'node:fs';
import { attachLoop } from '../linux/block/loop.ts';
import { hasCode } from '../linux/errno.ts';
import { linkStat, listDirectory, listEntries, type OpenFile, openFile } from '../linux/file.ts';
import { MNT, type MountRequest, MS } from '../linux/mount.ts';
import type { Span } from './content/probe.ts';

/** A device or file of a medium, open for reading. */
export interface MediumFile extends AsyncDisposable {
  /** Size of a regular file; undefined for a block device. */
  readonly fileBytes?: number;
  /** Fewer bytes when it ends before. */
  read(span: Span): Promise<Uint8Array>;
}

/** What a search does to devices and mounts: the only effects of this area beside the speed measurement. */
export interface MediaAccess {
  /** A link is not followed, nor one on the way to it where the medium was mounted by this. */
  open(path: string): Promise<MediumFile>;
  /**
   * Whether there is something in a drive, without reading it.
   * @returns `coming`: a disc that is not readable yet
   */
  medium(path: string, isCd: boolean): Promise<'in' | 'none' | 'coming'>;
  /** Mounts read-only; `options` come on top of that. Must not block the caller's event loop. */
  mount(source: string, target: string, type: string, options: readonly string[]): Promise<void>;
  unmount(target: string): Promise<void>;
  /** A read-only loop device on a block device or file, gone with its last user; to be released when it is mounted. */
  loop(path: string): { readonly path: string; release(): void };
  /** Makes a device known as part of a btrfs over several. */
  registerBtrfs(path: string): Promise<void>;
  /** Names in a directory; an empty list when there is no such directory. Throws for a link. */
  list(directory: string): Promise<readonly string[]>;
  /** The directories in a directory; an empty list when it cannot be read. */
  folders(directory: string): Promise<readonly string[]>;
  /** Whether this is the root of a subvolume of btrfs; false for what is not there. */
  isSubvolume(directory: string): Promise<boolean>;
}

/** The first bytes of a device or file, fewer when it is shorter, and the size of a regular file. */
export async function readStart(
  access: Pick<MediaAccess, 'open'>,
  path: string,
  length: number,
): Promise<{ readonly bytes: Uint8Array; readonly fileBytes?: number }> {
  await using file = await access.open(path);
  const bytes = await file.read({ offset: 0, length });
  return file.fileBytes === undefined ? { bytes } : { bytes, fileBytes: file.fileBytes };
}

async function readFully(file: OpenFile, { offset, length }: Span): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const bytesRead = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** System calls beside the event loop: on a failing disk they may hang for minutes. */
export interface MountCalls {
  mount(request: MountRequest): Promise<void>;
  umount(target: string, flags: number): Promise<void>;
  requireMedium(path: string, isCd: boolean): Promise<void>;
  registerBtrfsDevice(path: string): Promise<void>;
}

export function mediaAccess(calls: MountCalls): MediaAccess {
  return { ...readOnlyAccess, ...mountAccess(calls) };
}

function mountAccess(calls: MountCalls): Pick<MediaAccess, 'mount' | 'unmount' | 'medium' | 'registerBtrfs'> {
  return {
    async mount(source, target, type, options) {
      mkdirSync(target, { recursive: true, mode: 0o700 });
      // A medium is a stranger's: no device node, no program and no link of it ever counts, whoever opens a path there.
      const flags = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOSYMFOLLOW | MS.NOATIME;
      await calls.mount({ source, target, type, flags, data: options.join(',') });
    },
    // what is still open on it, by a read that hangs, does not keep it from going
    unmount: (target) => calls.umount(target, MNT.DETACH),
    registerBtrfs: (path) => calls.registerBtrfsDevice(path),
    async medium(path, isCd) {
      try {
        await calls.requireMedium(path, isCd);
        return 'in';
      } catch (error) {
        if (hasCode(error, 'ENOMEDIUM')) return 'none';
        if (hasCode(error, 'EAGAIN')) return 'coming';
        // a drive that does not know: a read tells
        if (hasCode(error, 'ENOSYS', 'ENOTTY', 'EINVAL')) return 'in';
        throw error;
      }
    },
  };
}

/** The root directory of a subvolume (fs/btrfs/btrfs_inode.h, BTRFS_FIRST_FREE_OBJECTID). */
const SUBVOLUME_INODE = 256;

/** What needs no mount: for looking at devices only. */
export const readOnlyAccess: Pick<MediaAccess, 'open' | 'list' | 'folders' | 'isSubvolume' | 'loop'> = {
  async open(path) {
    const file = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    // Known since it was opened: no device is asked.
    const stat = fstatSync(file.fd);
    const closing = { [Symbol.asyncDispose]: () => file.close() };
    if (stat.isFile()) return { fileBytes: stat.size, read: (span) => readFully(file, span), ...closing };
    if (stat.isBlockDevice()) return { read: (span) => readFully(file, span), ...closing };
    await file.close();
    throw new Error('no regular file');
  },
  loop: (path) => attachLoop({ file: path, autoclear: true }),
  async list(directory) {
    try {
      return await listDirectory(directory);
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
      throw error;
    }
  },
  async folders(directory) {
    const entries = await listEntries(directory).catch(() => []);
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  },
  async isSubvolume(directory) {
    const stat = await linkStat(directory).catch(() => undefined);
    return stat?.isDirectory() === true && stat.ino === SUBVOLUME_INODE;
  },
};
