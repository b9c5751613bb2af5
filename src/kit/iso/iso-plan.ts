/** What lies where in an ISO. Pure but for graftLine, which follows links: images and their boot files in, paths and menu out. */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { BootFiles } from './boot-files.ts';
import type { MenuImage } from './menu.ts';

export interface IsoImage {
  readonly name: string;
  readonly path: string;
  /** Chunk index and signature, where they are there. */
  readonly beside: readonly string[];
  readonly boot: BootFiles;
}

/** A file of the ISO: its path there, without a leading slash, and the file of this machine it is made of. */
export interface IsoFile {
  readonly target: string;
  readonly source: string;
}

export interface IsoPlan {
  readonly files: readonly IsoFile[];
  readonly menu: readonly MenuImage[];
}

/**
 * Kernels and initrds that are the same byte for byte are there once.
 * @throws Error when two images have one name
 */
export function planIso(images: readonly IsoImage[]): IsoPlan {
  const files: IsoFile[] = [];
  const places = new Map<string, string>();
  const names = new Set<string>();
  const place = (hash: string, target: string, source: string): string => {
    const known = places.get(hash);
    if (known !== undefined) return `/${known}`;
    places.set(hash, target);
    files.push({ target, source });
    return `/${target}`;
  };
  const menu = images.map(({ name, path, beside, boot }) => {
    if (names.has(name)) throw new Error(`two images are named ${name}: rename one of them`);
    names.add(name);
    for (const source of beside) files.push({ target: `viver/${basename(source)}`, source });
    files.push({ target: `viver/${name}.sqfs`, source: path });
    const directory = images.length === 1 ? 'boot' : `boot/${name}`;
    const kernel = place(boot.kernelHash, `${directory}/vmlinuz`, boot.kernel);
    const initrd = place(boot.initrdHash, `${directory}/viverrd.zst`, boot.initrd);
    return { name, kernel, initrd };
  });
  return { files, menu };
}

/** Sixteen hex digits made of all that tells one ISO from another. */
export function isoId(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/**
 * The volume's date, `YYYYMMDDhhmmsscc` in UTC: boot loaders make the UUID of it, so it is made of the contents too.
 * @param seconds since 1970
 */
export function volumeDate(seconds: number, id: string): string {
  const moved = seconds + (Number.parseInt(id.slice(0, 7), 16) % 31_536_000);
  const hundredths = (Number.parseInt(id.slice(7, 12), 16) % 90) + 10;
  const text = new Date(moved * 1000).toISOString().replace(/\D/g, '').slice(0, 14);
  return `${text}${hundredths}`;
}

/** The MBR's disk signature, of which PARTUUIDs are made. */
export const diskSignature = (id: string): Uint8Array => Buffer.from(id.slice(0, 8), 'hex');
export const DISK_SIGNATURE_AT = 440;

/** A line of xorriso's list of files, links followed: `=` and `\` have a meaning there. */
export function graftLine({ target, source: named }: IsoFile): string {
  // A link would become a link of the ISO, that leads to nothing there.
  const source = realpathSync(named);
  if (/\n/.test(target + source))
    throw new Error(`${JSON.stringify(source)}: a line break in a file's name is not taken`);
  const escaped = (path: string): string => path.replaceAll('\\', '\\\\').replaceAll('=', '\\=');
  return `/${escaped(target)}=${escaped(source)}\n`;
}
