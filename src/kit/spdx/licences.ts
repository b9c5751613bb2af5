/** What a Debian copyright file says of licences (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/). Pure. */

/** Debian's short names that SPDX has under another name; most GNU ones follow a rule. */
const SPDX: Readonly<Record<string, string>> = {
  expat: 'MIT',
  'mit/x11': 'X11',
  'bsd-2-clause': 'BSD-2-Clause',
  'bsd-3-clause': 'BSD-3-Clause',
  'bsd-4-clause': 'BSD-4-Clause',
  'apache-2.0': 'Apache-2.0',
  isc: 'ISC',
  zlib: 'Zlib',
  mit: 'MIT',
  'mpl-2.0': 'MPL-2.0',
  artistic: 'Artistic-1.0-Perl',
  'cc0-1.0': 'CC0-1.0',
  'bsl-1.0': 'BSL-1.0',
};

/** `GPL-2+` → `GPL-2.0-or-later`; undefined: SPDX knows no such name. */
export function spdxLicence(name: string): string | undefined {
  const key = name.toLowerCase();
  const known = Object.hasOwn(SPDX, key) ? SPDX[key] : undefined;
  if (known !== undefined) return known;
  const gnu = /^(L?GPL|AGPL|GFDL)-(\d)(?:\.(\d))?(\+)?$/i.exec(name);
  if (gnu === null) return undefined;
  const [, family = '', major = '', minor = '0', later] = gnu;
  return `${family.toUpperCase()}-${major}.${minor}-${later === undefined ? 'only' : 'or-later'}`;
}

/** The short names in a machine-readable copyright file, sorted; none when it is not one. */
export function copyrightLicences(text: string): string[] {
  if (!/^Format:\s*\S+copyright-format/m.test(text)) return [];
  const lines = [...text.matchAll(/^License:[ \t]*(\S.*)$/gm)].flatMap((match) => match[1] ?? []);
  return [...new Set(lines.flatMap(copyrightNames))].sort();
}

/** `GPL-2+ with exception and BSD-3-clause or X`: each part by itself. */
function copyrightNames(line: string): string[] {
  // One space each first: of a long run of them every start would be tried.
  const words = line.replaceAll(/\s+/g, ' ');
  const names = words.split(/ (?:and\/or|and|or) |,/i).map((name) => name.trim());
  return names.filter((name) => name !== '');
}

/**
 * What a copyright file says of its licences: of each name the longest paragraph that stands under it. A name without one
 * refers to a text that is not given.
 */
export function licenceTexts(text: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const { index } of text.matchAll(/^License:/gm)) {
    const start = lineEnd(text, index);
    let end = start;
    while (text[end + 1] === ' ' || text[end + 1] === '\t') end = lineEnd(text, end + 1);
    if (end === start) continue;
    // `.` on a line of its own is an empty one (deb-control(5)).
    const said = text.slice(start + 1, end).replace(/^ (?:\.$)?/gm, '');
    for (const name of copyrightNames(text.slice(index + LICENSE.length, start))) {
      if ((texts.get(name)?.length ?? 0) < said.length) texts.set(name, said);
    }
  }
  return texts;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

const LICENSE = 'License:';

/**
 * What a copyright file says of one of its licences; the whole file where it is not machine-readable, or refers to a text
 * without giving it.
 * @param ref as licenceRef makes it
 */
export function licenceText(text: string, ref: string): string {
  const texts = [...licenceTexts(text)].flatMap(([name, said]) => (licenceRef(name) === ref ? [said] : []));
  return texts.sort((a, b) => b.length - a.length)[0] ?? text;
}

export const licenceRef = (name: string): string => `LicenseRef-${name.replaceAll(/[^A-Za-z0-9.-]+/g, '-')}`;
