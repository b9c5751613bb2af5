import type { SpdxDocument } from './parts-document.ts';
import { spdxId } from './spdx-id.ts';

/** Of a list made by scripts/kit/parts.ts: what is read of it here. */
export interface KitParts {
  readonly packages: readonly { readonly name: string; readonly SPDXID: string; readonly licenseDeclared: string }[];
  readonly files: readonly { readonly fileName: string; readonly SPDXID: string }[];
  /** A package CONTAINS a file. */
  readonly relationships: readonly {
    readonly spdxElementId: string;
    readonly relationshipType: string;
    readonly relatedSpdxElement: string;
  }[];
  readonly hasExtractedLicensingInfos: readonly { readonly licenseId: string }[];
}

/** A file of the ISO that is no image: its path there, its sums in hex digits. */
export interface IsoPart {
  readonly path: string;
  readonly sha1: string;
  readonly sha256: string;
  /** `loader`: the kit's of that name; `initrd`: made of the kit's programs; `kernel`: of the image's system. */
  readonly kind: 'loader' | 'initrd' | 'kernel' | 'own';
}

export interface IsoParts {
  /** What tells this ISO from others. */
  readonly id: string;
  readonly seconds: number;
  readonly parts: readonly IsoPart[];
  /** Paths of the images, each with the path of the list of what is in it. */
  readonly images: readonly { readonly path: string; readonly list: string | undefined }[];
}

const LOADERS = './lib/viver/loaders/';
const PROGRAMS = './lib/viver/programs/';

/**
 * Lists what an ISO has besides images, by the kit's own list: an SPDX 2.3 document. Of an image it says where its list is.
 * Pure.
 */
export function isoParts(kit: KitParts, { id, seconds, parts, images }: IsoParts): SpdxDocument {
  const owns = kit.relationships.filter(({ relationshipType }) => relationshipType === 'CONTAINS');
  const ownersOf = (file: string): string[] =>
    owns.flatMap((each) => (each.relatedSpdxElement === file ? each.spdxElementId : []));
  const ownersBelow = (place: string, name = ''): string[] =>
    kit.files.flatMap(({ fileName, SPDXID }) => (fileName.startsWith(place + name) ? ownersOf(SPDXID) : []));
  // The executable's packages have no file in a checkout's list: it was made before the executable.
  const owners = new Set(owns.map(({ spdxElementId }) => spdxElementId));
  const fileless = kit.packages.flatMap(({ SPDXID }) => (owners.has(SPDXID) ? [] : SPDXID));
  const programs = [...ownersBelow(PROGRAMS), ...fileless];
  const own = kit.packages.flatMap(({ name, SPDXID }) => (name === 'viver' ? SPDXID : []));
  const idOf = (path: string): string => spdxId('File', path);
  const packagesOf = ({ kind, path }: IsoPart): string[] => {
    if (kind === 'loader') return ownersBelow(LOADERS, path.slice(path.lastIndexOf('/') + 1));
    if (kind === 'initrd') return programs;
    return kind === 'own' ? own : [];
  };
  const contained = parts.map((part) => ({ file: idOf(part.path), packages: [...new Set(packagesOf(part))] }));
  const inside = new Set(contained.flatMap(({ packages }) => packages));
  const packages = kit.packages.filter(({ SPDXID }) => inside.has(SPDXID));
  const licences = packages.flatMap(({ licenseDeclared }) => licenseDeclared.split(' AND '));
  const imageRows = images.map(({ path, list }) => ({
    name: path,
    SPDXID: spdxId('Image', path),
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    comment:
      list === undefined
        ? 'an image without a list of packages, or one that cannot be read'
        : `what is in it: ${list} in this ISO`,
  }));
  return {
    spdxVersion: 'SPDX-2.3' as const,
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `viver-iso-${id}`,
    documentNamespace: `https://spdx.org/spdxdocs/viver-iso-${id}`,
    creationInfo: {
      created: new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'),
      creators: ['Tool: viver-iso'],
    },
    packages: [...packages, ...imageRows],
    files: parts.map(({ path, sha1, sha256 }) => ({
      fileName: `./${path}`,
      SPDXID: idOf(path),
      checksums: [
        { algorithm: 'SHA1', checksumValue: sha1 },
        { algorithm: 'SHA256', checksumValue: sha256 },
      ],
      licenseConcluded: 'NOASSERTION',
      copyrightText: 'NOASSERTION',
      ...(path.endsWith('/eltorito.img') && {
        comment: 'its sum before xorriso wrote into it where it lies in the ISO',
      }),
    })),
    relationships: [
      ...[...own, ...imageRows.map(({ SPDXID }) => SPDXID)].map((relatedSpdxElement) => ({
        spdxElementId: 'SPDXRef-DOCUMENT',
        relationshipType: 'DESCRIBES',
        relatedSpdxElement,
      })),
      ...contained.flatMap(({ file, packages: of }) =>
        of.map((spdxElementId) => ({ spdxElementId, relationshipType: 'CONTAINS', relatedSpdxElement: file })),
      ),
    ],
    hasExtractedLicensingInfos: kit.hasExtractedLicensingInfos.filter(({ licenseId }) => licences.includes(licenseId)),
  } as SpdxDocument;
}
