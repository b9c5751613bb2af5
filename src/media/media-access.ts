import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { attachLoop } from '../linux/loop.ts';

/** What a search does to devices and mounts: the only effects of this area beside the speed measurement. */
export interface MediaAccess {
  /** The first bytes of a device or file, fewer when it is shorter, and the size of a regular file. */
  readStart(path: string, lengthBytes: number): Promise<{ readonly bytes: Uint8Array; readonly fileBytes?: number }>;
  /** Mounts read-only; `options` come on top of that. Must not block the caller's event loop. */
  mount(source: string, target: string, type: string, options: readonly string[]): Promise<void>;
  unmount(target: string): Promise<void>;
  /** A read-only loop device on a block device, gone with its last user; to be released when it is mounted. */
  loop(path: string): { readonly path: string; release(): void };
  /** Names in a directory; an empty list when there is no such directory. */
  list(directory: string): Promise<readonly string[]>;
}

async function readFully(file: FileHandle, lengthBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const { bytesRead } = await file.read(bytes, filled, lengthBytes - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/**
 * Runs BusyBox' applet of that name. A child process, since mount(2) on a failing disk may hang for minutes: this
 * process goes on, and so do the other disks.
 */
function runApplet(applet: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('busybox', [applet, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, 500);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const text = complaint.trim().replace(/^[^:]*: /, '');
      if (code === 0) resolve();
      else reject(new Error(text === '' ? `${applet} ended with ${signal ?? code}` : text));
    });
  });
}

const MOUNT_FLAGS = ['ro', 'nosuid', 'nodev', 'noexec', 'noatime'];

export const mediaAccess: MediaAccess = {
  async readStart(path, lengthBytes) {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const bytes = await readFully(file, lengthBytes);
    const stat = await file.stat();
    return stat.isFile() ? { bytes, fileBytes: stat.size } : { bytes };
  },
  async mount(source, target, type, options) {
    await mkdir(target, { recursive: true, mode: 0o700 });
    await runApplet('mount', ['-t', type, '-o', [...MOUNT_FLAGS, ...options].join(','), source, target]);
  },
  unmount: (target) => runApplet('umount', ['-l', target]),
  loop: (path) => attachLoop({ file: path, autoclear: true }),
  async list(directory) {
    try {
      return await readdir(directory);
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
      throw error;
    }
  },
};
