import { createHash } from 'node:crypto';
import { printable } from '../../codec/printable.ts';
import { type InstalledPackage, parseDpkgStatus } from './dpkg-status.ts';
import { copyrightLicences, licenceRef, licenceText, spdxLicence } from './licences.ts';

/** A list of more is no Debian's: all of its packages together are fewer than 100,000, a large desktop has 4,000. */
const PACKAGES_LIMIT = 100_000;
/** Of all licence texts together, in characters: a desktop of 2,000 packages has 12 million. */
const TEXTS_LIMIT = 64 << 20;
/** Of one package: above it the whole copyright file stands for them (the longest of Debian have some 150). */
const LICENCES_LIMIT = 500;

/** What SPDX says of an image's packages: an SPDX 2.3 document, as JSON.stringify takes it. */
export interface SpdxDocument {
  readonly spdxVersion: 'SPDX-2.3';
  readonly packages: readonly unknown[];
}

/** Sums of a file in hex digits, by its path without the first slash. */
export interface FileSums {
  readonly path: string;
  readonly sha1: string;
  readonly sha256: string;
}

/** Where the document's facts come from. */
export interface PartsSource {
  /** /var/lib/dpkg/status. */
  readonly status: string;
  /** A package's copyright file; undefined where it has none. */
  copyright(name: string): Promise<string | undefined>;
  /** Kernel and initrd. */
  readonly files: readonly FileSums[];
}

/**
 * The document: each package of dpkg's list with version, source and licences as its copyright file has them. The same
 * source gives the same document; its name space is a sum of what it says.
 * @param facts name: of the image; seconds: its time, since 1970
 * @throws Error when the list is too long to be one
 */
export async function partsDocument(
  { status, copyright, files }: PartsSource,
  { name, seconds }: { readonly name: string; readonly seconds: number },
): Promise<SpdxDocument> {
  const installed = parseDpkgStatus(status);
  if (installed.length > PACKAGES_LIMIT)
    throw new Error(`/var/lib/dpkg/status has ${installed.length} packages: too many`);
  const texts = new Map<string, string>();
  let textsLength = 0;
  const packages = [];
  for (const one of installed) {
    const text = await copyright(one.name);
    const licences = licencesOf(one, text);
    for (const licence of licences) {
      if (!licence.startsWith('LicenseRef-') || texts.has(licence)) continue;
      const said = licenceText(text ?? '', licence);
      textsLength += said.length;
      if (textsLength > TEXTS_LIMIT)
        throw new Error(`the licence texts in it are too long: more than ${TEXTS_LIMIT} characters`);
      texts.set(licence, said);
    }
    packages.push(packageRow(one, licences));
  }
  const content = {
    packages,
    files: files.map(fileRow),
    hasExtractedLicensingInfos: [...texts].map(([licenseId, extractedText]) => ({
      licenseId,
      name: licenseId.replace('LicenseRef-', ''),
      extractedText,
    })),
  };
  const id = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  return {
    spdxVersion: 'SPDX-2.3' as const,
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name,
    documentNamespace: `https://spdx.org/spdxdocs/viver-image-${name}-${id}`,
    creationInfo: {
      created: new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'),
      creators: ['Tool: viver-image-spdx'],
    },
    packages: content.packages,
    files: content.files,
    relationships: [...packages, ...content.files].map(({ SPDXID }) => ({
      spdxElementId: 'SPDXRef-DOCUMENT',
      relationshipType: 'DESCRIBES',
      relatedSpdxElement: SPDXID,
    })),
    hasExtractedLicensingInfos: content.hasExtractedLicensingInfos,
  } as SpdxDocument;
}

/** As it is printed, and as it lies in ISOs. */
export const documentText = (document: SpdxDocument): string => `${JSON.stringify(document, undefined, 1)}\n`;

/**
 * Copyright files by package: those that lie in /usr/share/doc/NAME, and through links from one such directory to another,
 * which packages of one source often have. Other links lead anywhere: they are not followed.
 * @param links name and target of each
 */
export function withLinkedCopyrights<T>(
  found: ReadonlyMap<string, T>,
  links: Iterable<readonly [string, string]>,
): ReadonlyMap<string, T> {
  const all = new Map(found);
  for (const [name, target] of links) {
    const copyright = found.get(target);
    if (copyright !== undefined) all.set(name, copyright);
  }
  return all;
}

const idPart = (text: string): string => text.replaceAll(/[^A-Za-z0-9.-]+/g, '-');

function licencesOf({ name }: InstalledPackage, copyright: string | undefined): string[] {
  // Of an image without documentation nobody can say more.
  if (copyright === undefined) return [];
  const names = new Set(copyrightLicences(copyright).map((each) => spdxLicence(each) ?? licenceRef(each)));
  return names.size > 0 && names.size <= LICENCES_LIMIT ? [...names] : [licenceRef(`${name}-copyright`)];
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

function fileRow({ path, sha1, sha256 }: FileSums) {
  return {
    fileName: `./${path}`,
    SPDXID: `SPDXRef-File-${idPart(path)}`,
    checksums: [
      { algorithm: 'SHA1', checksumValue: sha1 },
      { algorithm: 'SHA256', checksumValue: sha256 },
    ],
    licenseConcluded: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
  };
}
