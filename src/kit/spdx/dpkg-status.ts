/** Debian's list of installed packages, /var/lib/dpkg/status (deb-control(5), dpkg(1)). Pure. */

/** A package as the list has it. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly source: string;
  readonly sourceVersion: string;
  readonly maintainer: string | undefined;
}

/** More is no list of packages: a large desktop has 5 MB. */
export const STATUS_BYTES_LIMIT = 32 << 20;

/** Those that are unpacked, in the order of their names; of what was removed only the configuration is there. */
export function parseDpkgStatus(text: string): InstalledPackage[] {
  const found = text.split(/\n(?:[ \t]*\n)+/).flatMap((stanza) => {
    const fields = fieldsOf(stanza);
    const [name, version] = [fields.get('package'), fields.get('version')];
    const state = fields.get('status')?.split(/\s+/)[2];
    if (name === undefined || version === undefined || state === 'config-files' || state === 'not-installed') return [];
    // `Source: util-linux (2.38.1-5)`: the version only where it is another.
    const [, source = name, sourceVersion = version] =
      /^(\S+)(?:\s+\(([^)]*)\))?$/.exec(fields.get('source') ?? name) ?? [];
    const architecture = fields.get('architecture') ?? '';
    return [{ name, version, architecture, source, sourceVersion, maintainer: fields.get('maintainer') }];
  });
  const key = ({ name, architecture }: InstalledPackage): string => `${name}:${architecture}`;
  return found.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** First lines of the fields, by their names in small letters. */
function fieldsOf(stanza: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of stanza.split('\n')) {
    const [, name, value] = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined && !line.startsWith('#'))
      fields.set(name.toLowerCase(), value.trim());
  }
  return fields;
}
