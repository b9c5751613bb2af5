import { parseApkInstalled } from './apk-installed.ts';
import { parseDpkgStatus } from './dpkg-status.ts';
import { type InstalledPackage, PACKAGES_LIMIT, type PackageRecords } from './installed-package.ts';
import { parsePacmanDesc } from './pacman-desc.ts';

/** The data base of a package manager, in a tree. Paths without the first slash. */
interface PackageBase {
  readonly name: string;
  /** Files, or directories whose files it is. */
  readonly places: readonly { readonly path: string; readonly kind: 'file' | 'directory' }[];
  /** Which files. */
  readonly files: RegExp;
  readonly parse: (text: string) => PackageRecords;
}

/** To add one: a parser beside those, and a row here. */
export const PACKAGE_BASES: readonly PackageBase[] = [
  {
    name: 'dpkg',
    places: [
      { path: 'var/lib/dpkg/status', kind: 'file' },
      // Of images without dpkg itself: a file a package, and one of sums beside it.
      { path: 'var/lib/dpkg/status.d', kind: 'directory' },
    ],
    files: /^var\/lib\/dpkg\/(?:status|status\.d\/[^/]+(?<!\.md5sums))$/,
    parse: parseDpkgStatus,
  },
  {
    name: 'apk',
    places: [
      { path: 'lib/apk/db/installed', kind: 'file' },
      { path: 'usr/lib/apk/db/installed', kind: 'file' },
    ],
    files: /^(?:usr\/)?lib\/apk\/db\/installed$/,
    parse: parseApkInstalled,
  },
  {
    name: 'pacman',
    places: [{ path: 'var/lib/pacman/local', kind: 'directory' }],
    files: /^var\/lib\/pacman\/local\/[^/]+\/desc$/,
    parse: parsePacmanDesc,
  },
];

/** For messages. */
export const BASE_NAMES = 'dpkg, apk, pacman or rpm (rpmdb.sqlite)';

/** All files of a data base together, in bytes: a large desktop has 5 MB. */
export const BASE_BYTES_LIMIT = 32 << 20;

/**
 * The packages that data bases name, in the order of their names. Pure.
 * @param files path and text of each file of theirs
 * @param others those that are no text
 * @throws Error when there are none, or so many that it is no list
 */
export function parseBases(
  files: Iterable<readonly [path: string, text: string]>,
  others: Iterable<readonly [path: string, read: () => PackageRecords]> = [],
): PackageRecords {
  const all: InstalledPackage[] = [];
  let unreadable = 0;
  const paths: string[] = [];
  const take = (path: string, read: () => PackageRecords): void => {
    paths.push(path);
    const records = named(path, read);
    for (const one of records.packages) all.push(one);
    if (all.length > PACKAGES_LIMIT) throw new Error(`/${path}: more than ${PACKAGES_LIMIT} packages`);
    unreadable += records.unreadable;
  };
  for (const [path, text] of files) {
    const base = PACKAGE_BASES.find(({ files: pattern }) => pattern.test(path));
    if (base !== undefined) take(path, () => base.parse(text));
  }
  for (const [path, read] of others) take(path, read);
  const [first, second] = paths;
  if (first === undefined) throw new Error(`no data base of ${BASE_NAMES} is in it`);
  if (all.length === 0) throw new Error(`/${first}${second === undefined ? '' : ' and its like'} names no package`);
  const key = ({ type, name, architecture, version }: InstalledPackage): string =>
    `${name}:${architecture}:${version}:${type}`;
  const keyed = all.map((one) => ({ one, key: key(one) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const packages = keyed.flatMap(({ one, key: own }, i) => (keyed[i - 1]?.key === own ? [] : [one]));
  return { packages, unreadable };
}

function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Error(`/${path}`, { cause });
  }
}
