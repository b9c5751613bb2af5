import { basename, join } from 'node:path';
import { whyNotRunnable } from './init-program.ts';
import { resolveBelow } from './resolve-below.ts';
import { type RootReader, rootReader } from './root-reader.ts';

/** What the image's first program is, as far as the shutdown must know. */
export type InitSystem = 'systemd' | 'sysvinit' | 'openrc' | 'runit' | 'busybox' | 'unknown';

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
 * The image's own init: the first of the places that the kernel can execute.
 * @param asked the kernel's word `init=`; it alone is tried when given
 * @throws Error that names what was tried, and why what is there cannot run
 */
export function findInit(root: string, asked: string | undefined, reader: RootReader = rootReader): FoundInit {
  const places = asked === undefined ? PLACES : [asked];
  const unusable: string[] = [];
  for (const path of places) {
    const program = resolveBelow(root, path, reader);
    if (program === undefined || reader.kind(join(root, program)) !== 'executable') continue;
    const why = whyNotRunnable(root, program, reader);
    if (why === undefined) return { path, system: initSystem(root, program, reader) };
    unusable.push(`${path}${program === path ? '' : ` (${program})`} ${why}`);
  }
  if (unusable.length > 0)
    throw new Error(`the image's init cannot run on this machine: ${[...new Set(unusable)].join('; ')}`);
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
