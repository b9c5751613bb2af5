import { dirname, resolve } from 'node:path/posix';
import { CRYPT_TABLES, crypttabFor } from '../../root/installed/crypttab.ts';
import { fstabFor } from '../../root/installed/fstab.ts';
import { DROP_INS, devicesOf, isUnitOfDisk, MASKS, UNIT_DIRECTORIES } from '../../root/installed/units.ts';
import { definePlugin } from '../engine/plugin.ts';
import type { NewRoot } from '../new-root.ts';

export { fstabFor };

const FSTAB = '/etc/fstab';

/** Text of a file, also through links inside of the root: `systemctl link` makes such, and NixOS has few others. */
function readThrough(root: NewRoot, path: string, most = 8): string | undefined {
  const to = root.linkTarget(path);
  if (to === undefined || most === 0) return root.read(path);
  return readThrough(root, resolve(dirname(path), to), most - 1);
}

function quietenFstab(root: NewRoot): void {
  const before = readThrough(root, FSTAB);
  if (before === undefined) {
    if (!root.has(FSTAB)) root.write(FSTAB, "# The root is VIVER's overlay.\n");
    return;
  }
  // Rows that a person added on a machine whose writes are kept act, and so do ours that they took the mark from.
  if (!root.isOfImage(FSTAB)) return;
  const { text, dropped } = fstabFor(before, (path) => root.has(path));
  if (dropped.length === 0) return;
  root.write(FSTAB, text);
  root.note(`not mounted: ${dropped.join('; ')}`);
}

function quietenCrypt(root: NewRoot): void {
  for (const table of CRYPT_TABLES) {
    const before = readThrough(root, table);
    if (before === undefined || !root.isOfImage(table)) continue;
    const { text, dropped } = crypttabFor(before, (path) => root.has(path));
    if (dropped.length === 0) continue;
    root.write(table, text, 0o600);
    root.note(`not opened, by ${table}: ${dropped.join('; ')}`);
  }
}

/** Units by name with their text, where the image itself has them as a file. */
function* unitsOf(root: NewRoot, directories: readonly string[], kind: RegExp): Iterable<readonly [string, string]> {
  const seen = new Set<string>();
  for (const directory of directories) {
    for (const name of root.names(directory)) {
      if (!kind.test(name) || seen.has(name)) continue;
      seen.add(name);
      const path = `${directory}/${name}`;
      const text = readThrough(root, path);
      if (text !== undefined && root.isOfImage(path)) yield [name, text];
    }
  }
}

const QUICK = `# VIVER: units of another machine wait for this device.\n[Unit]\nJobRunningTimeoutSec=5s\n`;

function quietenUnits(root: NewRoot): void {
  if (root.init !== 'systemd') return;
  const masked: string[] = [];
  for (const [name, text] of unitsOf(root, UNIT_DIRECTORIES, /\.(mount|swap)$/)) {
    if (!isUnitOfDisk(name, text)) continue;
    masked.push(name);
    const automount = name.replace(/\.mount$/, '.automount');
    if (UNIT_DIRECTORIES.some((directory) => root.has(`${directory}/${automount}`))) masked.push(automount);
  }
  for (const name of new Set(masked)) root.link(`${MASKS}/${name}`, '/dev/null');
  if (masked.length > 0) root.note(`masked, for disks of another machine: ${[...new Set(masked)].join(', ')}`);
  const waited = new Set<string>();
  for (const [name, text] of unitsOf(root, UNIT_DIRECTORIES.slice(0, 2), /\.(service|path|socket|target)$/)) {
    for (const device of devicesOf(text)) {
      if (!waited.has(device)) root.write(`${DROP_INS}/${device}.d/viver.conf`, QUICK);
      waited.add(device);
      root.note(`${name} waits for ${device}: 5 s here`);
    }
  }
}

export default definePlugin({
  name: 'fstab',
  summary: 'nothing is mounted, opened or waited for of the disks that the image was once installed on',
  prepare(root) {
    quietenFstab(root);
    quietenCrypt(root);
    quietenUnits(root);
  },
});
