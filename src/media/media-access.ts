import { constants, fstatSync, mkdirSync } from 'node:fs';
import { listDirectory, type OpenFile, openFile } from '../linux/file.ts';
import { attachLoop } from '../linux/loop.ts';
import { MNT, type MountRequest, MS } from '../linux/mount.ts';

/** What a search does to devices and mounts: the only effects of this area beside the speed measurement. */
export interface MediaAccess {
  /**
   * The first bytes of a device or file, fewer when it is shorter, and the size of a regular file. A link is not
   * followed, nor one on the way to it where the medium was mounted by this.
   */
  readStart(path: string, lengthBytes: number): Promise<{ readonly bytes: Uint8Array; readonly fileBytes?: number }>;
  /** Mounts read-only; `options` come on top of that. Must not block the caller's event loop. */
  mount(source: string, target: string, type: string, options: readonly string[]): Promise<void>;
  unmount(target: string): Promise<void>;
  /** A read-only loop device on a block device, gone with its last user; to be released when it is mounted. */
  loop(path: string): { readonly path: string; release(): void };
  /** Names in a directory; an empty list when there is no such directory. Throws for a link. */
  list(directory: string): Promise<readonly string[]>;
}

async function readFully(file: OpenFile, lengthBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const bytesRead = await file.read(bytes, filled, lengthBytes - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** mount(2) and umount2(2) beside the event loop: on a failing disk they may hang for minutes. */
export interface MountCalls {
  mount(request: MountRequest): Promise<void>;
  umount(target: string, flags: number): Promise<void>;
}

export function mediaAccess(calls: MountCalls): MediaAccess {
  return { ...readOnlyAccess, ...mountAccess(calls) };
}

function mountAccess(calls: MountCalls): Pick<MediaAccess, 'mount' | 'unmount'> {
  return {
    async mount(source, target, type, options) {
      mkdirSync(target, { recursive: true, mode: 0o700 });
      // A medium is a stranger's: no device node, no program and no link of it ever counts, whoever opens a path there.
      const flags = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOSYMFOLLOW | MS.NOATIME;
      await calls.mount({ source, target, type, flags, data: options.join(',') });
    },
    // what is still open on it, by a read that hangs, does not keep it from going
    unmount: (target) => calls.umount(target, MNT.DETACH),
  };
}

/** What needs no mount: for looking at devices only. */
export const readOnlyAccess: Pick<MediaAccess, 'readStart' | 'list' | 'loop'> = {
  async readStart(path, lengthBytes) {
    await using file = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    // Known since it was opened: no device is asked.
    const stat = fstatSync(file.fd);
    if (!stat.isFile() && !stat.isBlockDevice()) throw new Error('no regular file');
    const bytes = await readFully(file, lengthBytes);
    return stat.isFile() ? { bytes, fileBytes: stat.size } : { bytes };
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
};
