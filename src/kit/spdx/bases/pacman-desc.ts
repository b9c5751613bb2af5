/** What pacman keeps of one installed package, var/lib/pacman/local/NAME-VERSION/desc: `%FIELD%`, then its lines. Pure. */
import type { PackageRecords } from './installed-package.ts';

const WANTED = new Set(['NAME', 'VERSION', 'BASE', 'ARCH', 'PACKAGER', 'LICENSE']);
/** Lines of one field; a package has a handful of licences. */
const VALUES_LIMIT = 100;
const LINE_LIMIT = 4096;

export function parsePacmanDesc(text: string): PackageRecords {
  const fields = new Map<string, string[]>();
  let values: string[] | undefined;
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf('\n', at);
    const end = found < 0 ? text.length : found;
    const line = text.slice(at, end).trim();
    at = end + 1;
    const [, name] = /^%([A-Z0-9]+)%$/.exec(line) ?? [];
    if (name !== undefined) {
      values = WANTED.has(name) ? [] : undefined;
      if (values !== undefined) fields.set(name, values);
    } else if (line !== '' && line.length <= LINE_LIMIT && values !== undefined && values.length < VALUES_LIMIT)
      values.push(line);
  }
  const first = (field: string): string | undefined => fields.get(field)?.[0];
  const [name, version] = [first('NAME'), first('VERSION')];
  if (name === undefined || version === undefined) return { packages: [], unreadable: 1 };
  const one = {
    type: 'alpm' as const,
    name,
    version,
    architecture: first('ARCH') ?? '',
    source: first('BASE') ?? name,
    sourceVersion: version,
    maintainer: first('PACKAGER'),
    licences: fields.get('LICENSE') ?? [],
  };
  return { packages: [one], unreadable: 0 };
}
