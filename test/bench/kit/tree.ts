import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What makes a Debian of 600 MB a tree of more than 1 GB: of this machine, until there is enough. */
const MORE = [
  '/usr/share',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/python3',
  '/usr/lib/gcc',
  '/usr/bin',
  '/usr/lib/git-core',
];
const ENOUGH_MEGABYTES = 1050;

/** A tree of at least 1 GB: the small Debian of `make image`, and parts of this machine below /opt. */
export function makeTree(tree: string, debianTar: string): void {
  mkdirSync(tree, { recursive: true });
  execFileSync('tar', ['-C', tree, '--xattrs', '--xattrs-include=*', '-xf', debianTar]);
  for (const directory of MORE) {
    if (megabytes(tree) >= ENOUGH_MEGABYTES) return;
    if (!existsSync(directory)) continue;
    mkdirSync(join(tree, 'opt', directory), { recursive: true });
    execFileSync('cp', ['-a', `${directory}/.`, join(tree, 'opt', directory)]);
  }
}

export function megabytes(path: string): number {
  return Number(execFileSync('du', ['-sm', path], { encoding: 'utf8' }).split('\t')[0]);
}

/**
 * Upgrades a package of the tree as hard as can be: not a piece of any of its files stays what it was, though they pack
 * as well as before (their bytes are reversed), each is a little longer, a tenth of them are joined by a new file, and
 * dpkg's database says another version.
 * @returns bytes of the package's files
 */
export function upgradePackage(tree: string, name: string): number {
  const info = join(tree, 'var/lib/dpkg/info');
  const list = readdirSync(info).find((file) => file === `${name}.list` || file === `${name}:amd64.list`);
  if (list === undefined) throw new Error(`${name} is not installed in ${tree}`);
  let [bytes, count] = [0, 0];
  for (const path of readFileSync(join(info, list), 'utf8').trim().split('\n')) {
    const full = join(tree, path);
    if (!existsSync(full) || !lstatSync(full).isFile()) continue;
    const content = readFileSync(full);
    bytes += content.length;
    const longer = Buffer.concat([content.subarray(0, Math.ceil(content.length / 50)), content.toReversed()]);
    writeFileSync(full, longer);
    if (count++ % 10 === 0) writeFileSync(`${full}.new`, longer.toReversed());
    utimesSync(full, 1_790_000_000, 1_790_000_000);
  }
  const status = join(tree, 'var/lib/dpkg/status');
  const changed = readFileSync(status, 'utf8').replace(
    new RegExp(`(Package: ${name}\n(?:.+\n)*?Version: .*)\n`),
    '$1+new1\n',
  );
  writeFileSync(status, changed);
  return bytes;
}
