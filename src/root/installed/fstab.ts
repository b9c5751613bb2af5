import { isLocal, isOnDemand, type MountRow, pathsOf } from './local-source.ts';

/** Mount points that are VIVER's business, or the kernel's: whoever made the image had them on a disk of that machine. */
const TAKEN = new Set(['/', '/boot', '/boot/efi', '/boot/firmware', '/efi', '/usr', '/dev', '/proc', '/sys', '/run']);
/** Mounted before fstab is read. */
const ALWAYS_THERE = ['/dev', '/proc', '/run', '/sys'];

/** What a row begins with that acts no more. */
const MARK = '# VIVER: ';
const WHY = `# VIVER: rows that begin so are of the machine this system was installed on; without these words a row acts again.`;

export interface FstabChange {
  readonly text: string;
  /** Rows that were put out of action. */
  readonly dropped: readonly string[];
}

/** Octal escapes of fstab(5): `\040` is a space. */
const decoded = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** A row's fields as getmntent(3) splits them; undefined for a comment or an empty row. */
export function parseFstabRow(row: string): MountRow | undefined {
  const [source = '', target = '', type = '', options = ''] = row
    .trim()
    .split(/[ \t]+/)
    .map(decoded);
  if (source === '' || source.startsWith('#')) return undefined;
  const path = target.startsWith('/') ? target.replace(/(?<=.)\/+$/, '').replace(/\/{2,}/g, '/') : target;
  return { source: source.replace(/="(.*)"$/, '=$1'), target: path, type, options: options.split(',') };
}

const isBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory === '/' ? directory : `${directory}/`);

/** What is mounted by then and may be told other options (`hidepid=`): the same on every machine. */
const KERNELS_OWN = /^(proc|sysfs|devtmpfs)$/;

/** Why a row cannot act here whatever else there is; undefined when it can. */
function ownFault(row: MountRow): string | undefined {
  if (KERNELS_OWN.test(row.type)) return undefined;
  return TAKEN.has(row.target) || (isLocal(row) && !isOnDemand(row)) ? '' : undefined;
}

/** Why what a row needs beside a device is not there; `others` are the rows that act. */
function faultOfPaths(
  row: MountRow,
  others: readonly MountRow[],
  exists: (path: string) => boolean,
): string | undefined {
  if (isOnDemand(row)) return undefined;
  const { read, written } = pathsOf(row);
  const mounts = others.filter((other) => other !== row);
  const isThere = (path: string) =>
    ALWAYS_THERE.some((place) => isBelow(path, place)) ||
    mounts.some(({ target }) => isBelow(path, target)) ||
    exists(path);
  const missing = [...read, ...written].find((path) => !isThere(path));
  if (missing !== undefined) return `no ${missing} here`;
  const isOwn = ({ type }: MountRow) => type !== 'none' && type !== 'overlay';
  const onOverlay = written.find(
    (path) => !path.startsWith('/run/') && !mounts.some((mount) => isOwn(mount) && isBelow(path, mount.target)),
  );
  return onOverlay === undefined ? undefined : `${onOverlay} lies on an overlay`;
}

/**
 * /etc/fstab for a machine that is not the one the image was installed on: the root and what lay on that one's disks,
 * swap files among it, become comments, and so does what lies on these; the rest (tmpfs, bind mounts, the network) stays,
 * as does what is mounted by nobody but a person (`noauto`). Not `nofail`: systemd waits for that too, beside the boot, and
 * a name like /dev/sdb1 would be another's disk. Pure.
 * @param exists whether the image has a file or directory of that path
 */
export function fstabFor(before: string, exists: (path: string) => boolean = () => true): FstabChange {
  const texts = before.split('\n');
  const rows = texts.map(parseFstabRow);
  const faults = rows.map((row) => (row === undefined ? undefined : ownFault(row)));
  // Each round may take away what another row lies on.
  for (let found = true; found; ) {
    found = false;
    const acting = rows.filter((row, index) => row !== undefined && faults[index] === undefined) as MountRow[];
    for (const [index, row] of rows.entries()) {
      if (row === undefined || faults[index] !== undefined) continue;
      faults[index] = faultOfPaths(row, acting, exists);
      found ||= faults[index] !== undefined;
    }
  }
  const dropped = rows.flatMap((row, index) => {
    const fault = faults[index];
    if (row === undefined || fault === undefined) return [];
    return [`${row.source} on ${row.target}${fault === '' ? '' : ` (${fault})`}`];
  });
  if (dropped.length === 0) return { text: before, dropped };
  return {
    text: [WHY, ...texts.map((text, index) => (faults[index] === undefined ? text : MARK + text))].join('\n'),
    dropped,
  };
}
