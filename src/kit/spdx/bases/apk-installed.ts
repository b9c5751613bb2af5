/** Alpine's list of installed packages, lib/apk/db/installed (apk-tools, apk-v2(5)): a letter and a colon a line. Pure. */
import type { InstalledPackage, PackageRecords } from './installed-package.ts';
import { stanzas } from './stanzas.ts';

/** Package, version, architecture, licence, origin, maintainer; small and large letters are different fields. */
const FIELD = /^([PVALom]):(.*)$/;

export function parseApkInstalled(text: string): PackageRecords {
  const packages: InstalledPackage[] = [];
  let unreadable = 0;
  for (const fields of stanzas(text, fieldOf)) {
    const [name, version] = [fields.get('P'), fields.get('V')];
    if (!name || !version) {
      unreadable++;
      continue;
    }
    const licence = fields.get('L');
    packages.push({
      type: 'apk',
      name,
      version,
      architecture: fields.get('A') ?? '',
      // All packages of one recipe have one version.
      source: fields.get('o') || name,
      sourceVersion: version,
      maintainer: fields.get('m') || undefined,
      licences: licence ? [licence] : [],
    });
  }
  return { packages, unreadable };
}

function fieldOf(line: string): readonly [string, string] | undefined {
  const [, name, value] = FIELD.exec(line) ?? [];
  return name === undefined || value === undefined ? undefined : [name, value.trim()];
}
