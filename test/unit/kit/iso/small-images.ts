import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkoutAt } from '../../../../src/kit/initrd/kit-files.ts';
import { noise } from '../../image/images.ts';

const checkout = join(import.meta.dirname, '../../../..');
export const kit = checkoutAt(checkout);
if (!existsSync(kit.loaders)) throw new Error(`no ${kit.loaders}: run 'make build/.loaders' (or make iso)`);

/** An image with boot files of its own; they are the same in all with one `boot`. @param more texts by their paths */
export function smallImage(
  directory: string,
  name: string,
  boot = 1,
  sizeBytes = 300_000,
  more: Readonly<Record<string, string>> = {},
): string {
  const tree = join(directory, `${name}.tree`);
  mkdirSync(join(tree, 'boot'), { recursive: true });
  writeFileSync(join(tree, 'boot/vmlinuz'), noise(10_000, boot));
  writeFileSync(join(tree, 'boot/viverrd.zst'), noise(20_001, boot + 1));
  writeFileSync(join(tree, 'rest'), noise(sizeBytes, name.length));
  for (const [inside, text] of Object.entries(more)) {
    mkdirSync(dirname(join(tree, inside)), { recursive: true });
    writeFileSync(join(tree, inside), text);
  }
  const path = join(directory, `${name}.sqfs`);
  const dates = ['-mkfs-time', '1700000000', '-all-time', '1700000000'];
  execFileSync('mksquashfs', [tree, path, '-noappend', '-all-root', '-quiet', '-no-progress', ...dates], {
    stdio: 'pipe',
  });
  rmSync(tree, { recursive: true });
  return path;
}
