import { existsSync, mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { bindMount, moveMount } from '../linux/mount.ts';
import { chroot, exec } from '../linux/process.ts';

/** The initramfs stays here on the booted system. */
export const KEPT_INITRAMFS = '/run/initramfs';

/** The kernel's file systems, moved into the root as they are: the image's init finds them mounted and goes on. */
const MOVED = ['/dev', '/proc', '/sys', '/run'];

/**
 * Keeps the initramfs reachable at /run/initramfs: a bind mount, so nothing is copied. Call before the switch.
 */
export function keepInitramfs(): void {
  mkdirSync(KEPT_INITRAMFS, { recursive: true, mode: 0o755 });
  bindMount('/', KEPT_INITRAMFS);
}

/**
 * Makes `root` the root of everything and becomes its init. Returns only by an error, and then much is moved already:
 * check before (findInit) what can be checked.
 */
export function switchRoot(
  root: string,
  init: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): never {
  for (const directory of MOVED) {
    const target = join(root, directory);
    mkdirSync(target, { recursive: true, mode: 0o755 });
    moveMount(directory, target);
  }
  process.chdir(root);
  // the rootfs itself can be neither unmounted nor pivoted away from (Documentation/filesystems/ramfs-rootfs-initramfs.rst)
  moveMount('.', '/');
  chroot('.');
  process.chdir('/');
  exec(init, [init, ...args], env);
}

/** What was freed by `freeModules`. */
export interface FreedModules {
  readonly files: number;
  /** What the system has more to use than before; about the size of the files. */
  readonly bytes: number;
}

const MODULE_FILE = /^(.+)\.ko(\.gz|\.xz|\.zst)?$/;

/**
 * Deletes from the initramfs in RAM every module file that is not kept: the booted system has its own in the image.
 * @param directory a /lib/modules; absent is fine
 * @param keep module names, `-` and `_` alike
 */
export function freeModules(directory: string, keep: ReadonlySet<string> = new Set()): FreedModules {
  const kept = new Set([...keep].map((name) => name.replaceAll('-', '_')));
  const before = freemem();
  let files = 0;
  if (!existsSync(directory)) return { files, bytes: 0 };
  // nearly a thousand files: a stat of each, or rmSync's care, would be a good part of the whole boot
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const name = MODULE_FILE.exec(entry.name)?.[1];
    if (name === undefined || !entry.isFile() || kept.has(name.replaceAll('-', '_'))) continue;
    unlinkSync(`${entry.parentPath}/${entry.name}`);
    files += 1;
  }
  return { files, bytes: Math.max(0, freemem() - before) };
}
