import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const CHECKOUT = join(import.meta.dirname, '../../..');
/** What make built; VIVER_BUILD names another directory with such files, to try them from elsewhere. */
export const BUILD = resolve(process.env.VIVER_BUILD ?? join(CHECKOUT, 'build'));
/** Logs, overlays and made disks of the scenarios. */
export const VM_DIRECTORY = join(BUILD, 'vm');

const TARGET_OF: Readonly<Record<string, string>> = {
  vmlinuz: 'initrd',
  'viverrd.zst': 'initrd',
  viver: 'initrd',
  'debian.sqfs': 'image',
  'debian.caibx': 'image',
  'viver.iso': 'iso',
};

/** Path of something make builds. Throws with the target to call when it is not there. */
export function product(name: string): string {
  const path = join(BUILD, name);
  if (!existsSync(path)) throw new Error(`${path} is missing: run make ${TARGET_OF[name] ?? name} first`);
  return path;
}

export function vmDirectory(...parts: readonly string[]): string {
  const directory = join(VM_DIRECTORY, ...parts);
  mkdirSync(directory, { recursive: true });
  return directory;
}
