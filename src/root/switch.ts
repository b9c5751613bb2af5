import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bindMount, moveMount, umount } from '../linux/mount.ts';
import { chroot, exec } from '../linux/process.ts';

/** The initramfs stays here on the booted system. */
export const KEPT_INITRAMFS = '/run/initramfs';

/** The kernel's file systems, moved into the root as they are: the image's init finds them mounted and goes on. */
const MOVED = ['/dev', '/proc', '/sys', '/run'];

/** Where the second view of each waits until the first has gone to the root. */
const ASIDE = '/tmp/kept';

/**
 * Keeps the initramfs reachable at /run/initramfs: a bind mount, so nothing is copied. Call before the switch.
 * @returns takes it back
 */
export function keepInitramfs(): () => void {
  mkdirSync(KEPT_INITRAMFS, { recursive: true, mode: 0o755 });
  bindMount('/', KEPT_INITRAMFS);
  return () => umount(KEPT_INITRAMFS);
}

/** Makes the places that switchRoot moves to: what of it can fail, a full disk for one, fails before anything is moved. */
export function prepareSwitch(root: string): void {
  mkdirSync(ASIDE, { recursive: true });
  for (const directory of MOVED) mkdirSync(join(root, directory), { recursive: true, mode: 0o755 });
}

/**
 * Makes `root` the root of everything and becomes its init. Returns only by an error, and then much is moved already:
 * prepareSwitch and findInit before it.
 */
export function switchRoot(
  root: string,
  init: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): never {
  for (const directory of MOVED) {
    // What was started here and lives on (the daemon below the root, the DHCP client) still needs it at its old place.
    // Without the mounts below: a second view of a medium would keep it in use at the end of the machine.
    bindMount(directory, ASIDE);
    moveMount(directory, join(root, directory));
    moveMount(ASIDE, directory);
  }
  process.chdir(root);
  // the rootfs itself can be neither unmounted nor pivoted away from (Documentation/filesystems/ramfs-rootfs-initramfs.rst)
  moveMount('.', '/');
  chroot('.');
  process.chdir('/');
  exec(init, [init, ...args], env);
}

/**
 * Deletes the modules from the initramfs in RAM: the booted system has its own in the image. A process of its own does
 * it beside the switch, since a thousand files would take a tenth of the boot; it goes on under the next init.
 * @param directory a /lib/modules; absent is fine
 * @returns resolves when it is done; rejects when it cannot be started
 */
export function freeModules(directory: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('busybox', ['rm', '-rf', directory], { detached: true, stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', () => resolve());
    child.unref();
  });
}
