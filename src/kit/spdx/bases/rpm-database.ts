/** rpm's list of installed packages, rpmdb.sqlite: a row a package (rpm's lib/backend/sqlite.c). Pure. */
import { type InstalledPackage, PACKAGES_LIMIT, type PackageRecords } from './installed-package.ts';
import { parseRpmHeader } from './rpm-header.ts';
import { type FileBytes, sqliteRows } from './sqlite-table.ts';

/** Where it lies: in newer and older trees. Other kinds (Berkeley's, ndb's) are not read. */
export const RPM_PLACES = ['usr/lib/sysimage/rpm/rpmdb.sqlite', 'var/lib/rpm/rpmdb.sqlite'] as const;
/** What was not written into it yet, beside it. */
export const RPM_JOURNALS: readonly string[] = RPM_PLACES.map((path) => `${path}-wal`);
export const UNWRITTEN = 'rpmdb.sqlite-wal beside it has changes that were not written into it yet: start rpm -qa once';
/** A desktop has 200 MB: it names every file. */
export const RPM_BYTES_LIMIT = 1 << 30;
/** The longest, of kernels and their modules, have some 2 MB. */
const HEADER_BYTES_LIMIT = 32 << 20;
/** A key that packages are signed with is kept as a package. */
const KEY = 'gpg-pubkey';

/** @throws Error when it is no such list, or damaged */
export function readRpmDatabase(file: FileBytes): PackageRecords {
  const packages: InstalledPackage[] = [];
  let [unreadable, rows] = [0, 0];
  for (const row of sqliteRows(file, 'Packages', HEADER_BYTES_LIMIT)) {
    if (++rows > PACKAGES_LIMIT) throw new Error(`more than ${PACKAGES_LIMIT} packages`);
    const header = row?.[1];
    const found = header instanceof Buffer ? parseRpmHeader(header) : undefined;
    if (found === undefined) unreadable++;
    else if (found.name !== KEY) packages.push(found);
  }
  return { packages, unreadable };
}
