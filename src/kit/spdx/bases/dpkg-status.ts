/**
 * Debian's list of installed packages, /var/lib/dpkg/status, or a file of one package in status.d where there is no dpkg
 * (deb-control(5), dpkg(1)). Pure.
 */
import type { InstalledPackage, PackageRecords } from './installed-package.ts';
import { stanzas } from './stanzas.ts';

const FIELD = /^(package|status|version|architecture|source|maintainer):(.*)$/i;
/** Of what was removed only the configuration is there. */
const NOT_THERE = new Set(['config-files', 'not-installed']);

/** Those that are unpacked. */
export function parseDpkgStatus(text: string): PackageRecords {
  const packages: InstalledPackage[] = [];
  let unreadable = 0;
  for (const fields of stanzas(text, fieldOf)) {
    const state = fields.get('status')?.split(/\s+/)[2];
    if (state !== undefined && NOT_THERE.has(state)) continue;
    const [name, version] = [fields.get('package'), fields.get('version')];
    if (!name || !version) {
      unreadable++;
      continue;
    }
    // `Source: util-linux (2.38.1-5)`: the version only where it is another.
    const [, source = name, sourceVersion = version] =
      /^(\S+)(?:\s+\(([^)]*)\))?$/.exec(fields.get('source') ?? name) ?? [];
    const architecture = fields.get('architecture') ?? '';
    const maintainer = fields.get('maintainer');
    packages.push({
      type: 'deb',
      name,
      version,
      architecture,
      source,
      sourceVersion,
      maintainer,
      licences: undefined,
    });
  }
  return { packages, unreadable };
}

function fieldOf(line: string): readonly [string, string] | undefined {
  const [, name, value] = FIELD.exec(line) ?? [];
  return name === undefined || value === undefined ? undefined : [name.toLowerCase(), value.trim()];
}
