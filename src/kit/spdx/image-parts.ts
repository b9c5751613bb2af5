import { createHash } from 'node:crypto';
import { printable } from '../../codec/printable.ts';
import type { ImageEntry, SquashfsImage } from '../../squashfs/squashfs-image.ts';
import type { PackageRecords } from './bases/installed-package.ts';
import { BASE_BYTES_LIMIT, PACKAGE_BASES, parseBases } from './bases/package-bases.ts';
import { RPM_PLACES, readRpmDatabase, UNWRITTEN } from './bases/rpm-database.ts';
import type { FileBytes } from './bases/sqlite-table.ts';
import { type Distribution, distributionOf } from './distribution.ts';
import { type FileSums, partsDocument, type SpdxDocument, withLinkedCopyrights } from './parts-document.ts';
import {
  BOOT_FILE_BYTES_LIMIT,
  BOOT_FILES,
  COPYRIGHT_BYTES_LIMIT,
  DOCUMENTATION,
  OS_RELEASE_BYTES_LIMIT,
  OS_RELEASES,
} from './places.ts';

const PIECE_BYTES = 1 << 20;

export interface ImageParts {
  readonly document: SpdxDocument;
  /** Records of its data bases that are no package. */
  readonly unreadable: number;
}

/** Whether the image has a list of packages, as far as it can be seen. @throws Error when it is corrupt on the way there */
export function hasPackageList(image: SquashfsImage): boolean {
  const places = [...PACKAGE_BASES.flatMap((base) => base.places.map(({ path }) => path)), ...RPM_PLACES];
  return places.some((path) => image.find(Buffer.from(path)) !== undefined);
}

/**
 * Lists what is inside an image: each package of its data bases with version, source and licences, and kernel and initrd in
 * /boot with their sums. Always by what it holds, and not by the list that `viver image create` put into it: whoever changed
 * the packages later may have left that as it was. The same image gives the same document.
 * @param name of the image
 * @throws Error when the image has no list of packages, or cannot be read
 */
export async function imageParts(image: SquashfsImage, name: string): Promise<ImageParts> {
  const bases = await baseTexts(image);
  const { packages, unreadable } = await named(image, () => parseBases(bases, rpmBases(image)));
  const copyrights = copyrightFiles(image);
  const files: FileSums[] = [];
  for (const path of BOOT_FILES) {
    const file = image.find(Buffer.from(path));
    if (file?.inode.kind === 'file' && (file.size ?? 0) <= BOOT_FILE_BYTES_LIMIT) files.push(await sumsOf(path, file));
  }
  const source = {
    packages,
    distribution: await distributionIn(image),
    copyright: async (of: string) => await textOf(copyrights.get(of), COPYRIGHT_BYTES_LIMIT),
    files,
  };
  const facts = { name, seconds: image.superblock.createdSeconds };
  return { document: await named(image, () => partsDocument(source, facts)), unreadable };
}

/** Path and text of each file of its data bases. */
async function baseTexts(image: SquashfsImage): Promise<[string, string][]> {
  const texts: [string, string][] = [];
  let left = BASE_BYTES_LIMIT;
  for (const { places, files } of PACKAGE_BASES) {
    for (const { path: place, kind } of places) {
      const found = image.find(Buffer.from(place));
      if (found === undefined) continue;
      if (found.inode.kind !== kind) throw new Error(`${image.name}: /${place} is no ${kind} but a ${found.kind}`);
      for (const entry of kind === 'file' ? [found] : image.walk(found)) {
        const path = entry.path.toString('latin1');
        if (entry.inode.kind !== 'file' || !files.test(path)) continue;
        const { size = 0 } = entry;
        if (size > left) throw new Error(`${image.name}: /${printable(path)} has ${size} bytes: too many`);
        left -= size;
        texts.push([path, (await textOf(entry, BASE_BYTES_LIMIT)) ?? '']);
      }
    }
  }
  return texts;
}

/** Read as they are asked for: they are large. */
function* rpmBases(image: SquashfsImage): Generator<[path: string, read: () => PackageRecords], void, void> {
  for (const path of RPM_PLACES) {
    const entry = image.find(Buffer.from(path));
    // In many trees one of the places leads to the other.
    if (entry?.inode.kind !== 'file') continue;
    const journal = image.find(Buffer.from(`${path}-wal`));
    yield [
      path,
      () => {
        if ((journal?.size ?? 0) > 0) throw new Error(UNWRITTEN);
        return readRpmDatabase(bytesOf(entry));
      },
    ];
  }
}

function bytesOf(entry: ImageEntry): FileBytes {
  const content = entry.open?.();
  if (content === undefined || content instanceof Promise) throw new Error('it cannot be opened');
  const { size } = content;
  const read = (offset: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const got = content.read(bytes.subarray(done), offset + done);
      // An image answers at once.
      if (typeof got !== 'number' || got === 0) throw new Error('it ends too soon');
      done += got;
    }
    return bytes;
  };
  return { size, read };
}

async function named<T>(image: SquashfsImage, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new Error(image.name, { cause });
  }
}

async function distributionIn(image: SquashfsImage): Promise<Distribution | undefined> {
  for (const path of OS_RELEASES) {
    const text = await textOf(image.find(Buffer.from(path)), OS_RELEASE_BYTES_LIMIT);
    if (text !== undefined) return distributionOf(text);
  }
  return undefined;
}

async function sumsOf(path: string, entry: ImageEntry): Promise<FileSums> {
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')];
  for await (const bytes of piecesOf(entry)) {
    sha1.update(bytes);
    sha256.update(bytes);
  }
  return { path, sha1: sha1.digest('hex'), sha256: sha256.digest('hex') };
}

/** Undefined for what is no file, or more than a text of its kind has. */
async function textOf(entry: ImageEntry | undefined, limit: number): Promise<string | undefined> {
  if (entry?.inode.kind !== 'file' || (entry.size ?? 0) > limit) return undefined;
  const parts: Buffer[] = [];
  for await (const bytes of piecesOf(entry)) parts.push(Buffer.from(bytes));
  return Buffer.concat(parts).toString();
}

function copyrightFiles(image: SquashfsImage): ReadonlyMap<string, ImageEntry> {
  const found = new Map<string, ImageEntry>();
  const links = new Map<string, string>();
  const documentation = image.find(Buffer.from(DOCUMENTATION));
  if (documentation?.kind !== 'directory') return found;
  for (const entry of image.list(documentation)) {
    const name = entry.path.toString('latin1').slice(DOCUMENTATION.length + 1);
    if (entry.target !== undefined) links.set(name, entry.target.toString('latin1'));
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
