import { createHash } from 'node:crypto';
import { printable } from '../../codec/printable.ts';
import type { ImageEntry, SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { type InstalledPackage, parseDpkgStatus, STATUS_BYTES_LIMIT } from './dpkg-status.ts';
import { copyrightLicences, licenceRef, licenceText, spdxLicence } from './licences.ts';

/** A file of more is no licence text. */
const COPYRIGHT_BYTES_LIMIT = 4 << 20;
const PIECE_BYTES = 1 << 20;
const DOCUMENTATION = 'usr/share/doc';

/** What SPDX says of an image's packages: an SPDX 2.3 document, as JSON.stringify takes it. */
export interface SpdxDocument {
  readonly spdxVersion: 'SPDX-2.3';
  readonly packages: readonly unknown[];
}

export interface SpdxFacts {
  readonly name: string;
  /** Of the image: what tells this document from others. */
  readonly id: string;
}

const DPKG_STATUS = Buffer.from('var/lib/dpkg/status');

/** Whether the image is of Debian or its like. */
export function hasPackageList(image: SquashfsImage): boolean {
  return image.find(DPKG_STATUS)?.inode.kind === 'file';
}

/**
 * Lists what is inside an image of a Debian: each package of dpkg's list with version, source and licences as its
 * copyright file has them, and kernel and initrd in /boot with their sums. The same image gives the same document.
 * @throws Error when the image has no list of packages, or cannot be read
 */
export async function imageParts(image: SquashfsImage, { name, id }: SpdxFacts): Promise<SpdxDocument> {
  const status = await textOf(image, image.find(DPKG_STATUS), STATUS_BYTES_LIMIT);
  if (status === undefined) {
    throw new Error(`${image.name}: no /var/lib/dpkg/status in it: only images of Debian and its like can be listed`);
  }
  const copyrights = copyrightFiles(image);
  const texts = new Map<string, string>();
  const packages = [];
  for (const one of parseDpkgStatus(status)) {
    const copyright = await textOf(image, copyrights.get(one.name), COPYRIGHT_BYTES_LIMIT);
    const licences = licencesOf(one, copyright);
    for (const licence of licences)
      if (licence.startsWith('LicenseRef-') && !texts.has(licence))
        texts.set(licence, licenceText(copyright ?? '', licence));
    packages.push(packageRow(one, licences));
  }
  const files = [];
  for (const path of ['boot/vmlinuz', 'boot/viverrd.zst']) {
    const entry = image.find(Buffer.from(path));
    if (entry?.inode.kind === 'file') files.push(await fileRow(path, entry));
  }
  const created = new Date(image.superblock.createdSeconds * 1000).toISOString().replace('.000Z', 'Z');
  const document = {
    spdxVersion: 'SPDX-2.3' as const,
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name,
    documentNamespace: `https://spdx.org/spdxdocs/viver-image-${name}-${id}`,
    creationInfo: { created, creators: ['Tool: viver-image-spdx'] },
    packages,
    files,
    relationships: [...packages, ...files].map(({ SPDXID }) => ({
      spdxElementId: 'SPDXRef-DOCUMENT',
      relationshipType: 'DESCRIBES',
      relatedSpdxElement: SPDXID,
    })),
    hasExtractedLicensingInfos: [...texts].map(([licenseId, extractedText]) => ({
      licenseId,
      name: licenseId.replace('LicenseRef-', ''),
      extractedText,
    })),
  };
  return document;
}

const idPart = (text: string): string => text.replaceAll(/[^A-Za-z0-9.-]+/g, '-');

function licencesOf({ name }: InstalledPackage, copyright: string | undefined): string[] {
  // Of an image without documentation nobody can say more.
  if (copyright === undefined) return [];
  const names = copyrightLicences(copyright).map((each) => spdxLicence(each) ?? licenceRef(each));
  return names.length > 0 ? [...new Set(names)] : [licenceRef(`${name}-copyright`)];
}

function packageRow(one: InstalledPackage, licences: readonly string[]) {
  const { name, version, architecture, source, sourceVersion, maintainer } = one;
  return {
    name,
    SPDXID: `SPDXRef-Package-${idPart(`${name}-${architecture}`)}`,
    versionInfo: version,
    supplier: maintainer === undefined ? 'NOASSERTION' : `Organization: ${printable(maintainer)}`,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licences.length === 0 ? 'NOASSERTION' : licences.join(' AND '),
    copyrightText: 'NOASSERTION',
    sourceInfo: `source package: ${source} ${sourceVersion}`,
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}`,
      },
    ],
  };
}

async function fileRow(path: string, entry: ImageEntry) {
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')];
  for await (const bytes of piecesOf(entry)) {
    sha1.update(bytes);
    sha256.update(bytes);
  }
  return {
    fileName: `./${path}`,
    SPDXID: `SPDXRef-File-${idPart(path)}`,
    checksums: [
      { algorithm: 'SHA1', checksumValue: sha1.digest('hex') },
      { algorithm: 'SHA256', checksumValue: sha256.digest('hex') },
    ],
    licenseConcluded: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
  };
}

async function textOf(image: SquashfsImage, entry: ImageEntry | undefined, limit: number): Promise<string | undefined> {
  if (entry?.inode.kind !== 'file') return undefined;
  const { size = 0, path } = entry;
  if (size > limit) throw new Error(`${image.name}: ${printable(path.toString())} has ${size} bytes: too many`);
  const parts: Buffer[] = [];
  for await (const bytes of piecesOf(entry)) parts.push(Buffer.from(bytes));
  return Buffer.concat(parts).toString();
}

/** /usr/share/doc/NAME/copyright by NAME; packages of one source often have a link to another's directory there. */
function copyrightFiles(image: SquashfsImage): ReadonlyMap<string, ImageEntry> {
  const found = new Map<string, ImageEntry>();
  const links: [string, string][] = [];
  const documentation = image.find(Buffer.from(DOCUMENTATION));
  if (documentation?.kind !== 'directory') return found;
  for (const entry of image.list(documentation)) {
    const name = entry.path.toString('latin1').slice(DOCUMENTATION.length + 1);
    // Other links lead anywhere: they are not followed.
    if (entry.target !== undefined) links.push([name, entry.target.toString('latin1')]);
    if (entry.kind !== 'directory') continue;
    for (const inside of image.list(entry)) {
      if (inside.path.toString('latin1').endsWith('/copyright')) found.set(name, inside);
    }
  }
  for (const [name, target] of links) {
    const copyright = found.get(target);
    if (copyright !== undefined) found.set(name, copyright);
  }
  return found;
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
