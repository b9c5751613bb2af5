import { join } from 'node:path';
import { imageNameOf } from '../image/image-name.ts';
import { SUPERBLOCK_SIZE } from '../squashfs/superblock.ts';
import type { BlockDevice } from './block-devices.ts';
import { decodeSquashfsIdentity, type ImageCandidate, type IsoFile } from './candidate.ts';
import { runProbe } from './content/probe.ts';
import { DETECTION_BYTES, decodeFileSystem, type FileSystemType } from './file-system.ts';
import { hasDirectory } from './iso-directory.ts';
import { isoFiles } from './iso-files.ts';
import { type MediaAccess, readStart } from './media-access.ts';
import { READ_ONLY_MOUNTS } from './mount-options.ts';

/** A mounted file system, and where in it images may lie: its root, and the subvolumes of btrfs. */
export interface Mounted {
  readonly device: BlockDevice;
  readonly type: FileSystemType;
  readonly mountpoint: string;
  /** Directories below the mountpoint, `.` among them. */
  readonly roots: readonly string[];
  /** Ventoy's own partition. */
  readonly isVentoy: boolean;
}

export interface InsideOptions {
  readonly access: MediaAccess;
  readonly ensureModules: (names: readonly string[]) => Promise<void>;
  /** The ISO file that the boot loader named, by path from a root. */
  readonly namedIso?: string;
  /** Whether an image may be booted; all may unless given. */
  readonly isWanted?: (candidate: ImageCandidate) => boolean;
}

export interface Seen {
  readonly candidates: readonly ImageCandidate[];
  /** What was seen, a few words each. */
  readonly words: readonly string[];
}

/** What image files of a mounted file system are of: everything of a candidate but the image itself. */
type Place = Pick<ImageCandidate, 'device' | 'fileSystem' | 'mountpoint' | 'iso'>;

/**
 * Images in /viver, and where none there is wanted inside ISO files that hold a directory /viver. An ISO with an image
 * stays mounted.
 */
export async function lookInside(mounted: Mounted, options: InsideOptions): Promise<Seen> {
  const { device, type, mountpoint, roots } = mounted;
  const place = { device, fileSystem: type, mountpoint };
  const all: Seen[] = [];
  for (const root of roots) all.push(await imagesIn(join(mountpoint, root), place, options.access));
  const isWanted = options.isWanted ?? (() => true);
  const isEnough = options.namedIso === undefined && all.some((seen) => seen.candidates.some(isWanted));
  const isos = isEnough ? [] : await lookInIsos(mounted, options);
  const candidates = [...all, ...isos].flatMap((seen) => seen.candidates);
  const words = [...all, ...isos].flatMap((seen) => seen.words);
  if (words.length > 0) return { candidates, words };
  const isThere = await Promise.all(roots.map((root) => options.access.list(join(mountpoint, root, 'viver'))));
  return {
    candidates,
    words: [isThere.some((names) => names.length > 0) ? 'no image in /viver' : 'no directory /viver'],
  };
}

/** `viver/*.sqfs` below a directory, with what lies beside each. */
async function imagesIn(root: string, place: Place, access: MediaAccess): Promise<Seen> {
  const directory = join(root, 'viver');
  const candidates: ImageCandidate[] = [];
  const words: string[] = [];
  const names = new Set(await notByLink(access.list(directory)).catch((error) => nothingOf('/viver', error, words)));
  for (const file of [...names].sort()) {
    if (!file.endsWith('.sqfs') || file.startsWith('.')) continue;
    const name = file.slice(0, -'.sqfs'.length);
    const path = join(directory, file);
    try {
      const start = await notByLink(readStart(access, path, SUPERBLOCK_SIZE));
      const squashfs = decodeSquashfsIdentity(start.bytes, regularBytes(start), 'file');
      const index = `${name}.caibx`;
      candidates.push({
        ...place,
        name: imageNameOf(name),
        path,
        squashfs,
        ...(names.has(index) ? { indexPath: join(directory, index) } : {}),
        ...(names.has(`${index}.minisig`) ? { signaturePath: join(directory, `${index}.minisig`) } : {}),
        ...(names.has(`${name}.release`) ? { releasePath: join(directory, `${name}.release`) } : {}),
      });
      words.push(file);
    } catch (error) {
      words.push(`${file}: ${messageOf(error)}`);
    }
  }
  return { candidates, words };
}

async function lookInIsos(mounted: Mounted, options: InsideOptions): Promise<readonly Seen[]> {
  const { mountpoint, roots, isVentoy } = mounted;
  const paths = new Map<string, boolean>();
  for (const root of roots) {
    if (options.namedIso !== undefined) paths.set(join(mountpoint, root, options.namedIso), true);
    for (const path of await isoFiles(join(mountpoint, root), isVentoy, options.access)) {
      const whole = join(mountpoint, root, path);
      if (!paths.has(whole)) paths.set(whole, false);
    }
  }
  const all: Seen[] = [];
  let count = 0;
  for (const [path, isNamed] of paths) {
    const iso: IsoFile = { path, mountpoint, isNamed };
    const shown = path.slice(mountpoint.length);
    try {
      if (!(await isOurs(path, options.access))) continue;
      const seen = await lookInIso(iso, `${mountpoint}.iso${count++}`, mounted, options);
      all.push({ ...seen, words: seen.words.map((word) => `${shown}: ${word}`) });
    } catch (error) {
      all.push({ candidates: [], words: [`${shown}: ${messageOf(error)}`] });
    }
  }
  return all;
}

/**
 * An ISO with a directory /viver; most others are told by a few kilobytes.
 * @throws Error when it is one, and not whole
 */
async function isOurs(path: string, access: MediaAccess): Promise<boolean> {
  const file = await access.open(path).catch(() => undefined); // a name that is not there on this file system
  if (file === undefined) return false;
  await using iso = file;
  if (iso.fileBytes === undefined) return false;
  const start = await iso.read({ offset: 0, length: DETECTION_BYTES });
  return (
    decodeFileSystem(start)?.type === 'iso9660' && (await runProbe(hasDirectory('viver'), (span) => iso.read(span)))
  );
}

async function lookInIso(iso: IsoFile, target: string, { device }: Mounted, options: InsideOptions): Promise<Seen> {
  const { access } = options;
  const row = READ_ONLY_MOUNTS.iso9660;
  await options.ensureModules([...row.modules, 'loop']);
  const loop = access.loop(iso.path);
  try {
    await access.mount(loop.path, target, row.type, row.options);
  } finally {
    loop.release();
  }
  let seen: Seen | undefined;
  try {
    seen = await imagesIn(target, { device, fileSystem: 'iso9660', mountpoint: target, iso }, access);
    return seen.words.length > 0 ? seen : { candidates: [], words: ['no image in /viver'] };
  } finally {
    if (seen === undefined || seen.candidates.length === 0) await access.unmount(target);
  }
}

/** ELOOP is what the kernel says of a link that may not be followed. */
async function notByLink<T>(opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if (/\bELOOP\b/.test(messageOf(error))) throw new Error('a link, which is not followed', { cause: error });
    throw error;
  }
}

function regularBytes({ fileBytes }: { readonly fileBytes?: number }): number {
  if (fileBytes === undefined) throw new Error('no regular file');
  return fileBytes;
}

function nothingOf(what: string, error: unknown, words: string[]): readonly string[] {
  if (!(error instanceof Error && /a link/.test(error.message))) throw error;
  words.push(`${what}: ${error.message}`);
  return [];
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
