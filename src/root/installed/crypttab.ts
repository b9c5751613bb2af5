/** Tables of devices that are set up before fstab is read: each waits for its disk, and a swap with a random key erases it. */
export const CRYPT_TABLES = ['/etc/crypttab', '/etc/veritytab', '/etc/integritytab'] as const;

const MARK = '# VIVER: ';

/**
 * crypttab(5), veritytab(5) or integritytab(5) for another machine: the rows become comments, except those that a person
 * opens (`noauto`) and those of a file in the image. Pure.
 * @param exists whether the image has a file of that path
 */
export function crypttabFor(
  before: string,
  exists: (path: string) => boolean,
): { readonly text: string; readonly dropped: readonly string[] } {
  const dropped: string[] = [];
  const rows = before.split('\n').map((text) => {
    const [name = '', device = '', ...rest] = text.trim().split(/[ \t]+/);
    if (name === '' || name.startsWith('#')) return text;
    if (rest.some((field) => field.split(',').includes('noauto'))) return text;
    if (device.startsWith('/') && !device.startsWith('/dev/') && exists(device)) return text;
    dropped.push(`${name} of ${device}`);
    return MARK + text;
  });
  return { text: rows.join('\n'), dropped };
}
