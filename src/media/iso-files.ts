import { join } from 'node:path';
import type { MediaAccess } from './media-access.ts';

/** Where people and tools put ISO files, besides the root; as on Windows, any case. */
const FOLDERS = /^(isos?|boot|images)$/i;
const BELOW_BOOT = /^isos?$/i;

/** Ventoy takes ISO files from any folder: so deep, and so many folders, are looked into on its own partition. */
const VENTOY = { depth: 4, folders: 500 };
/** Of one file system. */
const MOST_FILES = 200;

const isIso = (name: string): boolean => /\.iso$/i.test(name) && !name.startsWith('.');

type Listing = Pick<MediaAccess, 'list' | 'folders'>;

/**
 * The ISO files of a file system, by path below `root`, sorted: `*.iso` in the root, in /iso, /isos, /images and /boot,
 * and in /boot/iso; on Ventoy's partition in any folder.
 */
export async function isoFiles(root: string, isVentoy: boolean, access: Listing): Promise<readonly string[]> {
  const folders = isVentoy ? await allFolders(root, access) : await usualFolders(root, access);
  const names = await Promise.all(
    folders.map(async (folder) => {
      const listed = await access.list(join(root, folder)).catch(() => []);
      return listed.filter(isIso).map((name) => join(folder, name));
    }),
  );
  return names.flat().sort().slice(0, MOST_FILES);
}

async function usualFolders(root: string, access: Listing): Promise<readonly string[]> {
  const usual = (await access.folders(root)).filter((name) => FOLDERS.test(name));
  const boot = usual.filter((name) => /^boot$/i.test(name));
  const below = await Promise.all(
    boot.map(async (folder) =>
      (await access.folders(join(root, folder)))
        .filter((name) => BELOW_BOOT.test(name))
        .map((name) => join(folder, name)),
    ),
  );
  return ['.', ...usual, ...below.flat()];
}

/** Breadth first, so that a deep tree hides no folder above it. */
async function allFolders(root: string, access: Listing): Promise<readonly string[]> {
  const folders = ['.'];
  let level = ['.'];
  for (let depth = 0; depth < VENTOY.depth && level.length > 0 && folders.length < VENTOY.folders; depth++) {
    const below = await Promise.all(
      level.map(async (folder) => (await access.folders(join(root, folder))).map((name) => join(folder, name))),
    );
    level = below
      .flat()
      .sort()
      .slice(0, VENTOY.folders - folders.length);
    folders.push(...level);
  }
  return folders;
}
