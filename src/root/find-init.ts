import { readlinkSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** What the image's first program is, as far as the shutdown must know. */
export type InitSystem = 'systemd' | 'sysvinit' | 'openrc' | 'runit' | 'busybox' | 'unknown';

/** What finding an init needs of the image's files. */
export interface RootReader {
  /** The target of a symbolic link; undefined when the path is no link or nothing. */
  link(path: string): string | undefined;
  kind(path: string): 'executable' | 'file' | 'directory' | undefined;
}

export const rootReader: RootReader = {
  link(path) {
    try {
      return readlinkSync(path);
    } catch {
      return undefined; // no link, or nothing there: kind() tells which
    }
  },
  kind(path) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isDirectory()) return 'directory';
    return stat.isFile() && (stat.mode & 0o111) !== 0 ? 'executable' : 'file';
  },
};

const MOST_LINKS = 40; // as the kernel's MAXSYMLINKS

/**
 * Resolves symbolic links below `root` as a process changed to that root would see them.
 * @returns the path below root, or undefined when it leads to nothing or in circles
 */
export function resolveBelow(root: string, path: string, reader: RootReader): string | undefined {
  let rest = path.split('/').filter((part) => part !== '' && part !== '.');
  let at = '/';
  let links = 0;
  while (rest.length > 0) {
    const [part = '', ...after] = rest;
    rest = after;
    if (part === '..') {
      at = dirname(at);
      continue;
    }
    const next = join(at, part);
    const target = reader.link(join(root, next));
    if (target === undefined) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) return undefined;
    if (target.startsWith('/')) at = '/';
    rest = [...target.split('/').filter((name) => name !== '' && name !== '.'), ...rest];
  }
  return reader.kind(join(root, at)) === undefined ? undefined : at;
}

/** Where an init may be, in the order they are tried: the kernel's own list (init/main.c) and systemd's places. */
const PLACES = [
  '/sbin/init',
  '/usr/sbin/init',
  '/etc/init',
  '/bin/init',
  '/lib/systemd/systemd',
  '/usr/lib/systemd/systemd',
];

export interface FoundInit {
  /** The path to execute inside the root, as it was asked for. */
  readonly path: string;
  readonly system: InitSystem;
}

/**
 * The image's own init.
 * @param asked the kernel's word `init=`; it alone is tried when given
 * @throws Error that names what was tried
 */
export function findInit(root: string, asked: string | undefined, reader: RootReader = rootReader): FoundInit {
  const places = asked === undefined ? PLACES : [asked];
  for (const path of places) {
    const program = resolveBelow(root, path, reader);
    if (program === undefined || reader.kind(join(root, program)) !== 'executable') continue;
    return { path, system: initSystem(root, program, reader) };
  }
  const from = asked === undefined ? 'no init in the image' : `no executable ${asked} in the image (init=)`;
  throw new Error(`${from}: looked at ${places.join(', ')}`);
}

/** Where systemd's udev, eudev and the old one have their daemon. */
const UDEV = ['/lib/systemd/systemd-udevd', '/usr/lib/systemd/systemd-udevd', '/sbin/udevd', '/usr/sbin/udevd'];

/** Whether the image has a daemon that loads drivers by itself. */
export function hasUdev(root: string, reader: RootReader = rootReader): boolean {
  return UDEV.some((path) => resolveBelow(root, path, reader) !== undefined);
}

/** By the name of the program behind all links; what is called `init`, and BusyBox, by what lies beside it. */
function initSystem(root: string, program: string, reader: RootReader): InitSystem {
  const has = (path: string) => resolveBelow(root, path, reader) !== undefined;
  const name = basename(program);
  if (name === 'systemd') return 'systemd';
  if (name === 'openrc-init') return 'openrc';
  if (name === 'runit-init' || name === 'runit') return 'runit';
  if (name !== 'init' && name !== 'busybox') return 'unknown';
  // OpenRC is mostly started by another's init: BusyBox' on Alpine, sysvinit's on Gentoo and Debian
  if (has('/sbin/openrc') && has('/etc/inittab') && has('/etc/runlevels')) return 'openrc';
  if (name === 'busybox') return 'busybox';
  return has('/etc/inittab') || has('/etc/rc0.d') ? 'sysvinit' : 'unknown';
}
