/** A package as the data base of a package manager has it. */
export interface InstalledPackage {
  /** Of a package URL (https://github.com/package-url/purl-spec): whose package it is. */
  readonly type: 'deb' | 'apk' | 'alpm' | 'rpm';
  readonly name: string;
  /** Whole, as its package manager writes it. */
  readonly version: string;
  readonly architecture: string;
  readonly source: string;
  readonly sourceVersion: string;
  readonly maintainer: string | undefined;
  /** What the data base says of licences, all of which count; undefined where it leaves that to copyright files. */
  readonly licences: readonly string[] | undefined;
}

/** What a data base says. */
export interface PackageRecords {
  readonly packages: readonly InstalledPackage[];
  /** Records that are no package: without a name or a version. */
  readonly unreadable: number;
}

/** A list of more is none: a large desktop has 4,000, and all that Debian has are some 60,000. */
export const PACKAGES_LIMIT = 50_000;
