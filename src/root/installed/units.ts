import { isLocal, type MountRow } from './local-source.ts';

/** Where unit files of the image lie; what is here lists what the image has, not which one systemd takes. */
export const UNIT_DIRECTORIES = [
  '/etc/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

/**
 * Above /etc/systemd/system in systemd.unit(5)'s order, and gone at power-off: a link to /dev/null here masks whatever the
 * image says, and nothing is written into it.
 */
export const MASKS = '/run/systemd/system.control';
export const DROP_INS = '/run/systemd/system';

/** The last value of each key, by `section.key`. Lines that end in a backslash go on (systemd.syntax(7)). */
export function parseUnit(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let section = '';
  for (const line of text.replaceAll(/\\\r?\n/g, ' ').split('\n')) {
    const header = /^\s*\[([^\]]*)\]/.exec(line);
    if (header !== null) section = header[1] ?? '';
    const assignment = /^\s*([A-Za-z0-9]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (assignment !== null) values.set(`${section}.${assignment[1]}`, assignment[2] ?? '');
  }
  return values;
}

/** Whether a .mount or .swap unit is for a disk of the machine it was written for. */
export function isUnitOfDisk(name: string, text: string): boolean {
  const values = parseUnit(text);
  const isSwap = name.endsWith('.swap');
  const section = isSwap ? 'Swap' : 'Mount';
  const row: MountRow = {
    source: (values.get(`${section}.What`) ?? '').replace(/^"(.*)"$/, '$1'),
    target: values.get('Mount.Where') ?? 'none',
    type: isSwap ? 'swap' : (values.get('Mount.Type') ?? 'auto'),
    options: (values.get(`${section}.Options`) ?? '').split(','),
  };
  return row.source !== '' && isLocal(row);
}

/** Devices a unit waits for by name: `dev-disk-by\x2duuid-….device`. */
export function devicesOf(text: string): readonly string[] {
  const keys = /^\s*(?:Requires|Requisite|BindsTo|Wants|After)\s*=(.*)$/gm;
  const names = [...text.matchAll(keys)].flatMap((match) => (match[1] ?? '').split(/\s+/));
  return [...new Set(names.filter((name) => /^dev-(?!zram)\S+\.device$/.test(name)))];
}
