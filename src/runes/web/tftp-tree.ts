import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bindMount, MNT, MS, mount, readMounts, umount } from '../../linux/mount.ts';
import type { BootFile } from './boot-files.ts';
import { GRUB_DIRECTORY, grubConfig } from './grub-script.ts';
import { isSignedProgram } from './signed-program.ts';

/** What a machine with Secure Boot on loads by TFTP, in this order: all of it is in the image's /boot. */
export const SECURE_FILES = ['shimx64.efi', 'grubx64.efi', 'vmlinuz', 'first-stage.zst'] as const;

/** Why machines with Secure Boot on cannot boot from here; undefined: they can. */
export function secureLack(files: ReadonlyMap<string, BootFile>): string | undefined {
  const lacking = SECURE_FILES.filter((name) => !files.has(name));
  if (lacking.length > 0) return `the image has no ${lacking.map((name) => PLACES[name] ?? name).join(', ')}`;
  const kernel = files.get('vmlinuz')?.path ?? '';
  return isSignedProgram(kernel) ? undefined : "the image's kernel bears no signature";
}

const PLACES: Readonly<Record<string, string>> = {
  'shimx64.efi': '/boot/viver-net/shimx64.efi (shim-signed)',
  'grubx64.efi': '/boot/viver-net/grubx64.efi (grub-efi-amd64-signed)',
  'first-stage.zst': '/boot/viver-net/first-stage.zst',
  vmlinuz: '/boot/vmlinuz',
};

/**
 * Makes the directory that TFTP gives: links to iPXE, and, for Secure Boot, the image's own files, shown there one by one.
 * Who gives them is not root, and the image as a whole is for root alone.
 * @param links name and target
 */
export function layTftpTree(
  directory: string,
  links: Readonly<Record<string, string>>,
  secure: ReadonlyMap<string, BootFile> | undefined,
): void {
  const mounted = new Set(readMounts().map(({ target }) => target));
  for (const name of SECURE_FILES) if (mounted.has(join(directory, name))) umount(join(directory, name), MNT.DETACH);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, GRUB_DIRECTORY, 'mac'), { recursive: true });
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(directory, name));
  if (secure === undefined) return;
  for (const name of SECURE_FILES) {
    const target = join(directory, name);
    writeFileSync(target, '');
    bindMount(secure.get(name)?.path ?? '', target);
    const flags = MS.BIND | MS.REMOUNT | MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC;
    mount({ source: 'none', target, flags });
  }
  writeFileSync(join(directory, GRUB_DIRECTORY, 'grub.cfg'), grubConfig());
}
