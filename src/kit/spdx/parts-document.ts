import { createHash } from 'node:crypto';
import { printable } from '../../codec/printable.ts';
import type { InstalledPackage } from './bases/installed-package.ts';
import type { Distribution } from './distribution.ts';
import { licenceExpression } from './licence-expression.ts';
import { copyrightLicences, licenceRef, licenceTexts, spdxLicence } from './licences.ts';
import { spdxId } from './spdx-id.ts';

/** Of all licence texts together, in characters, and of what packages say of theirs: a desktop of 2,000 packages has 12 million. */
const TEXTS_LIMIT = 32 << 20;
/** A longer one is no name. */
const NAME_LIMIT = 500;
/** Of all copyright files that are read for them. */
const COPYRIGHTS_LIMIT = 512 << 20;
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
  /** In their order in the document, none twice. */
  readonly packages: readonly InstalledPackage[];
  readonly distribution: Distribution | undefined;
  /** A package's copyright file; undefined where it has none. */
  copyright(name: string): Promise<string | undefined>;
  /** Kernel and initrd. */
  readonly files: readonly FileSums[];
}

/**
 * The document: each package with version, source and licences, as its data base or its copyright file has them. The same
 * source gives the same document; its name space is a sum of what it says.
 * @param facts name: of the document; seconds: its time, since 1970
 * @throws Error when the texts are too long to be licences
 */
export async function partsDocument(
  { packages: installed, distribution, copyright, files }: PartsSource,
  { name, seconds }: { readonly name: string; readonly seconds: number },
): Promise<SpdxDocument> {
  const texts = new LicenceTexts();
  let [read, declared] = [0, 0];
  const packages: PackageRow[] = [];
  for (const one of installed) {
    const text = one.licences === undefined ? await copyright(one.name) : undefined;
    read += text?.length ?? 0;
    if (read > COPYRIGHTS_LIMIT) throw new Error(`its copyright files have more than ${COPYRIGHTS_LIMIT} characters`);
    // Of an image without documentation nobody can say more.
    const found = text === undefined ? 'NOASSERTION' : texts.ofCopyright(one, text);
    const licences = one.licences === undefined ? found : saidOf(one.licences, texts);
    declared += licences.length;
    if (declared > TEXTS_LIMIT) throw new Error(`its packages name licences of more than ${TEXTS_LIMIT} characters`);
    packages.push(packageRow(one, licences, distribution));
  }
  const rows = { packages, files: files.map(fileRow), hasExtractedLicensingInfos: texts.rows() };
  const sum = createHash('sha256').update(`${name}\n${seconds}\n`);
  for (const row of Object.values(rows).flat()) sum.update(`${JSON.stringify(row)}\n`);
  return {
    spdxVersion: 'SPDX-2.3' as const,
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name,
    documentNamespace: `https://spdx.org/spdxdocs/viver-image-${encodeURIComponent(name)}-${sum.digest('hex')}`,
    creationInfo: {
      created: new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'),
      creators: ['Tool: viver-image-spdx'],
    },
    packages: rows.packages,
    files: rows.files,
    relationships: [...rows.packages, ...rows.files].map(({ SPDXID }) => ({
      spdxElementId: 'SPDXRef-DOCUMENT',
      relationshipType: 'DESCRIBES',
      relatedSpdxElement: SPDXID,
    })),
    hasExtractedLicensingInfos: rows.hasExtractedLicensingInfos,
  } as SpdxDocument;
}

/** For a person. */
export const unreadableRecords = (count: number): string =>
  `${count} records of its package data base have no name or no version, and are not in the SPDX list`;

/** As it is printed, and as it lies in images and ISOs; in pieces, as the whole may be long. */
export function* documentPieces(document: SpdxDocument): Generator<string, void, void> {
  const text = (value: unknown, depth: number): string =>
    JSON.stringify(value, undefined, 1).replaceAll('\n', `\n${' '.repeat(depth)}`);
  let before = '{';
  for (const [key, value] of Object.entries(document)) {
    yield `${before}\n ${JSON.stringify(key)}: `;
    before = ',';
    if (!Array.isArray(value) || value.length === 0) yield text(value, 1);
    else {
      for (const [i, item] of value.entries()) yield `${i === 0 ? '[' : ','}\n  ${text(item, 2)}`;
      yield '\n ]';
    }
  }
  yield '\n}\n';
}

/** Links from one to the next: more lead round. */
const LINKS_LIMIT = 8;

/**
 * Copyright files by package: those that lie in /usr/share/doc/NAME, and through links from one such directory to another,
 * which packages of one source often have. Other links lead anywhere: they are not followed.
 * @param links name and target of each
 */
export function withLinkedCopyrights<T>(
  found: ReadonlyMap<string, T>,
  links: ReadonlyMap<string, string>,
): ReadonlyMap<string, T> {
  const all = new Map(found);
  for (const name of links.keys()) {
    let at: string | undefined = name;
    for (let i = 0; i < LINKS_LIMIT && at !== undefined && !found.has(at); i++) at = links.get(at);
    const copyright = at === undefined ? undefined : found.get(at);
    if (copyright !== undefined) all.set(name, copyright);
  }
  return all;
}

/** What copyright files say, and the licences that SPDX has no name for, by the names they have here. */
class LicenceTexts {
  /** In bytes, which take less memory than strings. */
  readonly #texts = new Map<string, Buffer>();
  /** By an id: a sum of its text. */
  readonly #sums = new Map<string, string>();
  /** By a sum of a copyright file: packages of one source often have the same. */
  readonly #read = new Map<string, string>();
  #length = 0;

  /** The licences that a copyright file names, or one of its own that is all of it. */
  ofCopyright({ name }: InstalledPackage, copyright: string): string {
    const sum = sumOf(copyright);
    const known = this.#read.get(sum) ?? this.#copyright(name, copyright);
    this.#read.set(sum, known);
    return known;
  }

  /** Many packages call different texts by one name (`public-domain`): all but the first get a mark. */
  idOf(name: string, text: string): string {
    const sum = sumOf(text);
    const plain = licenceRef(name);
    const known = this.#sums.get(plain);
    const id = known === undefined || known === sum ? plain : `${plain}-${sum}`;
    if (this.#texts.has(id)) return id;
    this.#length += text.length;
    if (this.#length > TEXTS_LIMIT) throw new Error(`its licences have more than ${TEXTS_LIMIT} characters`);
    this.#sums.set(id, sum);
    this.#texts.set(id, Buffer.from(text));
    return id;
  }

  rows() {
    return [...this.#texts].map(([licenseId, bytes]) => ({
      licenseId,
      name: licenseId.replace('LicenseRef-', ''),
      get extractedText() {
        return bytes.toString();
      },
    }));
  }

  #copyright(name: string, copyright: string): string {
    const names = copyrightLicences(copyright);
    if (names.length === 0 || names.length > LICENCES_LIMIT || names.some(({ length }) => length > NAME_LIMIT))
      return this.idOf(`${name}-copyright`, copyright);
    const given = licenceTexts(copyright);
    const ids = names.map((each) => spdxLicence(each) ?? this.idOf(each, given.get(each) ?? copyright));
    return ownCopy([...new Set(ids)].join(' AND '));
  }
}

const sumOf = (text: string): string => createHash('sha256').update(text.trim()).digest('hex').slice(0, 12);

/** A part of a string keeps all of it in memory. */
const ownCopy = (text: string): string => Buffer.from(text).toString();

/** All of them count. */
function saidOf(licences: readonly string[], texts: LicenceTexts): string {
  const refOf = (name: string): string =>
    texts.idOf(name, `All that the list of packages says of this licence is its name: ${name}`);
  const parts = licences.flatMap((text) =>
    text.trim() === '' ? [] : [licenceExpression(text.slice(0, NAME_LIMIT), refOf)],
  );
  const shown = parts.map((part) => (parts.length > 1 && part.includes(' OR ') ? `(${part})` : part));
  return shown.length === 0 ? 'NOASSERTION' : ownCopy([...new Set(shown)].join(' AND '));
}

type PackageRow = ReturnType<typeof packageRow>;

/** Where os-release says nothing. */
const VENDORS = { deb: 'debian', apk: 'alpine', alpm: 'arch', rpm: 'fedora' } as const;

function packageRow(one: InstalledPackage, licences: string, distribution: Distribution | undefined) {
  const { type, name, version, architecture, source, sourceVersion, maintainer } = one;
  const url = `pkg:${type}/${distribution?.id ?? VENDORS[type]}/${encodeURIComponent(name)}`;
  const words = `arch=${encodeURIComponent(architecture)}`;
  // Of rpm a package URL has the epoch by itself.
  const [, epoch, bare = version] = (type === 'rpm' && /^(\d+):(.*)$/.exec(version)) || [];
  return {
    name,
    SPDXID: spdxId('Package', JSON.stringify([type, name, architecture, version]), `${name}-${architecture}`),
    versionInfo: version,
    supplier: maintainer === undefined ? 'NOASSERTION' : `Organization: ${printable(maintainer)}`,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licences,
    copyrightText: 'NOASSERTION',
    sourceInfo: `source package: ${source} ${sourceVersion}`,
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: `${url}@${encodeURIComponent(bare)}?${words}${epoch === undefined ? '' : `&epoch=${epoch}`}`,
      },
    ],
  };
}

function fileRow({ path, sha1, sha256 }: FileSums) {
  return {
    fileName: `./${path}`,
    SPDXID: spdxId('File', path),
    checksums: [
      { algorithm: 'SHA1', checksumValue: sha1 },
      { algorithm: 'SHA256', checksumValue: sha256 },
    ],
    licenseConcluded: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
  };
}
