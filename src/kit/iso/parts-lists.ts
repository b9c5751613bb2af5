import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../../linux/describe-error.ts';
import { hasCode } from '../../linux/errno.ts';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { hasPackageList, imageParts } from '../spdx/image-parts.ts';
import { type IsoPart, isoParts, type KitParts } from '../spdx/iso-parts.ts';
import { documentPieces, type SpdxDocument } from '../spdx/parts-document.ts';
import type { IsoFile, IsoImage } from './iso-plan.ts';

const LIST = 'boot/viver.spdx.json';

interface PartsRequest {
  /** The kit's list of its parts. */
  readonly kitList: string;
  readonly id: string;
  readonly seconds: number;
  readonly images: readonly IsoImage[];
  /** Everything else in the ISO. */
  readonly files: readonly IsoFile[];
  /** Where the lists are written. */
  readonly work: string;
  /** Told of each image whose list is left out, and why. */
  readonly tell: (line: string) => void;
}

/**
 * Writes what an ISO says of its parts: one list for VIVER's own programs and the boot loaders, and one beside each image
 * whose packages can be read.
 */
export async function partsLists(request: PartsRequest): Promise<IsoFile[]> {
  const { kitList, id, seconds, images, files, work, tell } = request;
  const lists: IsoFile[] = [];
  const put = async (target: string, document: SpdxDocument): Promise<void> => {
    const source = join(work, `list-${lists.length}.json`);
    await writeFile(source, documentPieces(document));
    lists.push({ target, source });
  };
  const rows: { path: string; list: string | undefined }[] = [];
  for (const { name, path } of images) {
    const parts = await listOf(name, path, tell);
    const list = parts === undefined ? undefined : `viver/${name}.spdx.json`;
    if (parts !== undefined && list !== undefined) await put(list, parts);
    rows.push({ path: `viver/${name}.sqfs`, list });
  }
  const kit = await kitParts(kitList, tell);
  if (kit === undefined) return lists;
  const parts: IsoPart[] = [];
  for (const { target, source } of files) parts.push({ path: target, kind: kindOf(target), ...(await sumsOf(source)) });
  await put(LIST, isoParts(kit, { id, seconds, parts, images: rows }));
  return lists;
}

/** A Debian that leaves documentation out (dpkg's path-exclude, as container images have it) has no list of the kit. */
async function kitParts(path: string, tell: PartsRequest['tell']): Promise<KitParts | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as KitParts;
  } catch (error) {
    const why = hasCode(error, 'ENOENT') ? `${path} is missing (was documentation left out?)` : describeError(error);
    tell(`no list of boot loaders and of the initrd's programs in the ISO (/${LIST}): ${why}`);
    return undefined;
  }
}

/** The list is an extra: whatever an image says of its packages, it goes into the ISO. */
async function listOf(name: string, path: string, tell: PartsRequest['tell']): Promise<SpdxDocument | undefined> {
  try {
    using image = new SquashfsImage(path);
    return hasPackageList(image) ? (await imageParts(image, name)).document : undefined;
  } catch (error) {
    tell(`no list of ${name}'s packages in the ISO (/viver/${name}.spdx.json): ${describeError(error)}`);
    return undefined;
  }
}

function kindOf(target: string): IsoPart['kind'] {
  if (target.startsWith('EFI/') || target.startsWith('boot/grub/i386-pc/')) return 'loader';
  if (target.endsWith('/viverrd.zst')) return 'initrd';
  return target.endsWith('/vmlinuz') ? 'kernel' : 'own';
}

async function sumsOf(path: string): Promise<Pick<IsoPart, 'sha1' | 'sha256'>> {
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')];
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
    sha1.update(piece);
    sha256.update(piece);
  }
  return { sha1: sha1.digest('hex'), sha256: sha256.digest('hex') };
}
