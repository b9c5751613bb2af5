/**
 * Says of every file of the kit where it comes from: an SPDX 2.3 list (viver.spdx.json), a copyright file, and the licence
 * texts of each package. A file that nobody answers for ends the work.
 * usage: node scripts/kit/parts.ts DOC PLACE=DIRECTORY… [PATH…]
 *
 * PLACE is where in the kit the files of DIRECTORY lie, `.` for all of it. A PATH is a file of the kit that is not made yet:
 * its packages are listed.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sourceDate } from '../../src/kit/source-date.ts';
import { copyrightLicences, licenceRef, licenceText, spdxLicence } from '../../src/kit/spdx/licences.ts';
import { spdxId } from '../../src/kit/spdx/spdx-id.ts';
import { VERSION } from '../../src/runes/version.ts';

const [doc, ...places] = process.argv.slice(2);
if (doc === undefined || places.length === 0) throw new Error('usage: parts.ts DOC PLACE=DIRECTORY… [PATH…]');
const checkout = join(import.meta.dirname, '../..');
const INFO = '/var/lib/dpkg/info';

interface Part {
  readonly name: string;
  readonly version: string;
  readonly licences: readonly string[];
  readonly source: string;
  readonly supplier: string;
  /** Its licence text on this machine. */
  readonly text: string;
  readonly comment?: string;
}

const own: Part = {
  name: 'viver',
  version: VERSION,
  licences: ['MIT'],
  source: `viver ${VERSION}`,
  supplier: 'Organization: VIVER',
  text: join(checkout, 'LICENSE'),
};

function npmPart(name: string, comment?: string): Part {
  const directory = join(checkout, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const licences = [typeof license === 'string' && /^[\w.+-]+$/.test(license) ? license : 'MIT'];
  const source = `npm ${name} ${version}`;
  return {
    name,
    version,
    licences,
    source,
    supplier: 'NOASSERTION',
    text: join(directory, 'LICENSE'),
    ...(comment && { comment }),
  };
}

const nodeComment =
  'Node.js with the libraries that are linked into it (V8, OpenSSL, ICU, zlib, …): all their licences are in its text';

/** What is not a package's file as it is: made here, of what. */
const MADE: readonly (readonly [RegExp, readonly (Part | string)[]])[] = [
  [/^lib\/viver\/programs\/init$/, [own, npmPart(`node-linux-${process.arch}`, nodeComment), npmPart('netlink')]],
  [/^lib\/viver\/programs\/lib\/keymaps\//, ['xkb-data', 'console-setup']],
  [/^lib\/viver\/programs\/(lib\/early-\w+\.so|etc\/ld\.so\.preload)$/, [own]],
  [/^lib\/viver\/tools\/.*\/gconv-modules$/, [own]],
  [/^lib\/viver\/loaders\/BOOTIA32\.EFI$/, ['grub-efi-ia32-bin']],
  [/^lib\/viver\/loaders\/eltorito\.img$/, ['grub-pc-bin']],
  [/^(lib\/viver\/initrd|share|bin)\//, [own]],
];

/** Packages by the MD5 sum of the files they brought. */
function installedFiles(): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const name of readdirSync(INFO)
    .filter((file) => file.endsWith('.md5sums'))
    .sort()) {
    const owner = name.replace(/(:\w+)?\.md5sums$/, '');
    for (const line of readFileSync(join(INFO, name), 'utf8').split('\n')) {
      const [sum = ''] = line.split(' ');
      if (sum !== '' && !owners.has(sum)) owners.set(sum, owner);
    }
  }
  return owners;
}

function debianPart(name: string): Part {
  const field = (of: string): string => `$\{${of}}`;
  const format = `${field('Version')}\t${field('source:Package')} ${field('source:Version')}\t${field('Built-Using')}\n`;
  const words = ['-W', '-f', format, name];
  const [version = '', source = '', using = ''] = (
    execFileSync('dpkg-query', words, { encoding: 'utf8' }).split('\n')[0] ?? ''
  ).split('\t');
  const text = `/usr/share/doc/${name}/copyright`;
  const licences = copyrightLicences(readFileSync(text, 'latin1')).map((each) => spdxLicence(each) ?? licenceRef(each));
  return {
    name,
    version,
    source,
    text,
    licences: licences.length > 0 ? [...new Set(licences)] : [licenceRef(`${name}-copyright`)],
    supplier: 'Organization: Debian',
    ...(using !== '' && { comment: `built using ${using}` }),
  };
}

const owners = installedFiles();
const parts = new Map<string, Part>();
const files: {
  readonly path: string;
  readonly sha1: string;
  readonly sha256: string;
  readonly of: readonly string[];
}[] = [];
/** The files by their places in the kit; those that are not made yet have no file here. */
function filesAt(place: string): [string, string | undefined][] {
  const [below = '', directory] = place.split('=');
  if (directory === undefined) return [[below, undefined]];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => [join(below, relative(directory, file)), file]);
}
for (const [path, file] of places.flatMap(filesAt).sort(([left], [right]) => (left < right ? -1 : 1))) {
  const bytes = file === undefined ? undefined : readFileSync(file);
  const sum = (algorithm: string): string =>
    createHash(algorithm)
      .update(bytes ?? '')
      .digest('hex');
  const made = MADE.find(([pattern]) => pattern.test(path))?.[1];
  const brought = made === undefined ? owners.get(sum('md5')) : undefined;
  const names = made ?? (brought === undefined ? undefined : [brought]);
  if (names === undefined) throw new Error(`${path}: of which package is it? (scripts/kit/parts.ts)`);
  for (const each of names) {
    const name = typeof each === 'string' ? each : each.name;
    if (!parts.has(name)) parts.set(name, typeof each === 'string' ? debianPart(each) : each);
  }
  if (bytes === undefined) continue;
  const of = names.map((each) => (typeof each === 'string' ? each : each.name));
  files.push({ path, sha1: sum('sha1'), sha256: sum('sha256'), of });
}

const sorted = [...parts.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
const refs = new Map<string, Part>();
for (const part of sorted)
  for (const each of part.licences) if (each.startsWith('LicenseRef-') && !refs.has(each)) refs.set(each, part);
const created = new Date((sourceDate() ?? 0) * 1000).toISOString().replace('.000Z', 'Z');
const digest = createHash('sha256')
  .update(files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join(''))
  .digest('hex');
const spdx = {
  spdxVersion: 'SPDX-2.3',
  dataLicense: 'CC0-1.0',
  SPDXID: 'SPDXRef-DOCUMENT',
  name: `viver-kit-${VERSION}`,
  documentNamespace: `https://spdx.org/spdxdocs/viver-kit-${VERSION}-${digest}`,
  creationInfo: { created, creators: ['Tool: viver-make-kit'] },
  packages: sorted.map(({ name, version, licences, source, supplier, comment }) => ({
    name,
    SPDXID: spdxId('Package', name),
    versionInfo: version,
    supplier,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licences.join(' AND '),
    copyrightText: 'NOASSERTION',
    sourceInfo: `source package: ${source}`,
    ...(comment !== undefined && { comment }),
  })),
  files: files.map(({ path, sha1, sha256 }) => ({
    fileName: `./${path}`,
    SPDXID: spdxId('File', path),
    checksums: [
      { algorithm: 'SHA1', checksumValue: sha1 },
      { algorithm: 'SHA256', checksumValue: sha256 },
    ],
    licenseConcluded: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
  })),
  relationships: [
    {
      spdxElementId: 'SPDXRef-DOCUMENT',
      relationshipType: 'DESCRIBES',
      relatedSpdxElement: spdxId('Package', 'viver'),
    },
    ...files.flatMap(({ path, of }) =>
      of.map((name) => ({
        spdxElementId: spdxId('Package', name),
        relationshipType: 'CONTAINS',
        relatedSpdxElement: spdxId('File', path),
      })),
    ),
  ],
  hasExtractedLicensingInfos: [...refs].map(([licenseId, part]) => ({
    licenseId,
    name: licenseId.replace('LicenseRef-', ''),
    extractedText: licenceText(readFileSync(part.text, 'utf8'), licenseId),
  })),
};
mkdirSync(join(doc, 'licences'), { recursive: true });
writeFileSync(join(doc, 'viver.spdx.json'), `${JSON.stringify(spdx, undefined, 1)}\n`);
for (const { name, text } of sorted) cpSync(text, join(doc, 'licences', name), { dereference: true });

const mit = readFileSync(join(checkout, 'LICENSE'), 'utf8').trim();
const indented = mit
  .split('\n')
  .map((line) => (line.trim() === '' ? ' .' : ` ${line}`))
  .join('\n');
const rows = sorted
  .filter(({ name }) => name !== 'viver')
  .map(({ name, version, source, licences }) => ` ${name} ${version} (source: ${source}): ${licences.join(', ')}\n`);
writeFileSync(
  join(doc, 'copyright'),
  `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: viver
Comment: Besides VIVER itself the kit carries programs of others, unchanged, for the initrd and for its own work. Which file is
 of which is in viver.spdx.json; the whole text of each licence is in the directory licences. They are:
${rows.join('')}
Files: *
Copyright: VIVER's authors
License: MIT
${indented}
`,
);
process.stdout.write(`parts: ${files.length} files of ${sorted.length} packages\n`);
