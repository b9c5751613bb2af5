import { createHash } from 'node:crypto';
import { printable } from '../../codec/printable.ts';
import type { ImageEntry, SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { STATUS_BYTES_LIMIT } from './dpkg-status.ts';
import { type FileSums, partsDocument, type SpdxDocument, withLinkedCopyrights } from './parts-document.ts';
import { BOOT_FILES, COPYRIGHT_BYTES_LIMIT, DOCUMENTATION, DPKG_STATUS } from './places.ts';

const PIECE_BYTES = 1 << 20;

/** Whether the image is of Debian or its like, as far as it can be seen. @throws Error when it is corrupt on the way there */
export function hasPackageList(image: SquashfsImage): boolean {
  return image.find(Buffer.from(DPKG_STATUS)) !== undefined;
}

/**
 * Lists what is inside an image of a Debian: each package of dpkg's list with version, source and licences as its
 * copyright file has them, and kernel and initrd in /boot with their sums. The same image gives the same document.
 * @param name of the image
 * @throws Error when the image has no list of packages, or cannot be read
 */
export async function imageParts(image: SquashfsImage, name: string): Promise<SpdxDocument> {
  const entry = image.find(Buffer.from(DPKG_STATUS));
  if (entry === undefined) {
    throw new Error(`${image.name}: no /${DPKG_STATUS} in it: only images of Debian and its like can be listed`);
  }
  const status = await textOf(image, entry, STATUS_BYTES_LIMIT);
  if (status === undefined) throw new Error(`${image.name}: /${DPKG_STATUS} is no file but a ${entry.kind}`);
  const copyrights = copyrightFiles(image);
  const files: FileSums[] = [];
  for (const path of BOOT_FILES) {
    const file = image.find(Buffer.from(path));
    if (file?.inode.kind === 'file') files.push(await sumsOf(path, file));
  }
  const copyright = (of: string) => textOf(image, copyrights.get(of), COPYRIGHT_BYTES_LIMIT);
  return await partsDocument({ status, copyright, files }, { name, seconds: image.superblock.createdSeconds });
}

async function sumsOf(path: string, entry: ImageEntry): Promise<FileSums> {
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')];
  for await (const bytes of piecesOf(entry)) {
    sha1.update(bytes);
    sha256.update(bytes);
  }
  return { path, sha1: sha1.digest('hex'), sha256: sha256.digest('hex') };
}

async function textOf(image: SquashfsImage, entry: ImageEntry | undefined, limit: number): Promise<string | undefined> {
  if (entry?.inode.kind !== 'file') return undefined;
  const { size = 0, path } = entry;
  if (size > limit) throw new Error(`${image.name}: /${printable(path.toString())} has ${size} bytes: too many`);
  const parts: Buffer[] = [];
  for await (const bytes of piecesOf(entry)) parts.push(Buffer.from(bytes));
  return Buffer.concat(parts).toString();
}

function copyrightFiles(image: SquashfsImage): ReadonlyMap<string, ImageEntry> {
  const found = new Map<string, ImageEntry>();
  const links: [string, string][] = [];
  const documentation = image.find(Buffer.from(DOCUMENTATION));
  if (documentation?.kind !== 'directory') return found;
  for (const entry of image.list(documentation)) {
    const name = entry.path.toString('latin1').slice(DOCUMENTATION.length + 1);
    if (entry.target !== undefined) links.push([name, entry.target.toString('latin1')]);
    if (entry.kind !== 'directory') continue;
    for (const inside of image.list(entry)) {
      if (inside.path.toString('latin1').endsWith('/copyright')) found.set(name, inside);
    }
  }
  return withLinkedCopyrights(found, links);
}

async function* piecesOf(entry: ImageEntry): AsyncGenerator<Uint8Array> {
  const content = await entry.open?.();
  if (content === undefined) return;
  const piece = Buffer.alloc(Math.min(PIECE_BYTES, content.size));
  for (let offset = 0; offset < content.size; ) {
    const got = await content.read(piece.subarray(0, Math.min(piece.length, content.size - offset)), offset);
    if (got === 0) break;
    offset += got;
    yield piece.subarray(0, got);
  }
  await content.close();
}
