import { execFile } from 'node:child_process';
import { copyFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { made, madeDisk } from './disks.ts';
import type { Image } from './images.ts';
import { BUILD, CHECKOUT, product } from './products.ts';

const run = promisify(execFile);

/** An ISO of any image, by `viver iso`. The image's file name on it is `small.sqfs`, say. */
export async function isoOf(image: Image): Promise<string> {
  const folder = join(CHECKOUT, 'src/kit/iso');
  const sources = (await readdir(folder)).sort().map((name) => join(folder, name));
  const files = [...sources, product('vmlinuz'), product('viverrd.zst'), image.sqfs, image.caibx];
  return made(`${basename(image.sqfs, '.sqfs')}.iso`, { description: image.name, files }, async (target, work) => {
    await viver('iso', await underItsName(image, work), '-o', target, '--boot', BUILD);
  });
}

/** The image's file by the name it has on a medium; its index beside it. */
export async function underItsName(image: Image, directory: string): Promise<string> {
  const named = join(directory, `${image.name}.sqfs`);
  await run('ln', ['-sf', image.sqfs, named]);
  await run('ln', ['-sf', image.caibx, join(directory, `${image.name}.caibx`)]);
  return named;
}

/** Runs the sources' `viver`. */
export async function viver(...words: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(CHECKOUT, 'src/init/main.ts'), ...words]);
  return stdout;
}

/** A FAT32 partition with the ISO's files copied onto it, as a person does with a stick that is formatted already. */
export async function copiedIso(iso: string, label = 'STICK'): Promise<string> {
  const description = ['files of an ISO', label];
  return made(`copied-${basename(iso, '.iso')}.img`, { description, files: [iso] }, async (target, work) => {
    const tree = join(work, 'tree');
    await run('xorriso', ['-osirrox', 'on', '-indev', iso, '-extract', '/', tree]);
    await run('chmod', ['-R', 'u+w', tree]);
    const entries = await readdir(tree, { recursive: true, withFileTypes: true });
    const files = Object.fromEntries(
      entries
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => [join(parentPath, name).slice(tree.length), join(parentPath, name)]),
    );
    // FAT32 and not FAT16: as large as mkfs.vfat's own choice between them wants.
    const partition = { fileSystem: 'vfat', label, files, sizeMiB: 768 } as const;
    await copyFile(await madeDisk(`copied-${basename(iso)}`, { table: 'mbr', partitions: [partition] }), target);
  });
}
