import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { resolveBelow } from '../../root/resolve-below.ts';
import { rootReader } from '../../root/root-reader.ts';
import { keptFile } from '../kept-program.ts';

/** A file that machines load while they boot. */
export interface BootFile {
  /** Below `/boot/` of the web server. */
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
}

/** What an image must have in /boot for others to boot by it. */
export const BOOT_FILES: readonly string[] = ['vmlinuz', 'viverrd.zst'];

/** The image itself, below what the running system wrote over it. */
export const LOWER = '/run/viver/lower';

/** Where each file may lie, the best first: in the image, then in the running root, then in the initramfs. */
function places(lower: string): readonly (readonly [name: string, paths: readonly string[]])[] {
  const inImage = (path: string) => {
    // links of the image lead to files of the image
    const below = resolveBelow(lower, path, rootReader);
    return below === undefined ? [] : [join(lower, below)];
  };
  return [
    ['vmlinuz', [...inImage('/boot/vmlinuz'), '/boot/vmlinuz', '/vmlinuz']],
    ['viverrd.zst', [...inImage('/boot/viverrd.zst'), '/boot/viverrd.zst']],
    ...['shimx64.efi', 'grubx64.efi', 'first-stage.zst'].map(
      (name) => [name, inImage(`/boot/viver-net/${name}`)] as const,
    ),
    ['memtest.bin', [keptFile('/boot/memtest86+x64.bin')]],
    ['memtest.efi', [keptFile('/boot/memtest86+x64.efi')]],
    ['undionly.kpxe', [keptFile('/usr/lib/ipxe/undionly.kpxe')]],
    ['snponly.efi', [keptFile('/usr/lib/ipxe/snponly.efi')]],
  ];
}

/** The boot files this machine has. */
export function findBootFiles(lower = LOWER): ReadonlyMap<string, BootFile> {
  const found = new Map<string, BootFile>();
  for (const [name, paths] of places(lower)) {
    const path = paths.find((candidate) => existsSync(candidate));
    if (path !== undefined) found.set(name, { name, path, sizeBytes: statSync(path).size });
  }
  return found;
}
