/**
 * Container engines put overlays together by themselves, and an overlay cannot be the upper layer of another: what they
 * keep lies in a directory of the file system that holds the upper layer, beside it, and is shown at its usual place.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { bindMount, umount } from '../linux/mount.ts';
import type { Cow } from './cow.ts';
import { makeDirectories } from './written.ts';

/** Where a program keeps what it lays over each other. */
export interface Store {
  readonly path: string;
  /** Any of these: the program is there, if nothing of its is. */
  readonly programs: readonly string[];
  /** Whole trees that are only read: shown from the image as they are, where they would fill the RAM. `*`: any name. */
  readonly layers?: readonly string[];
  /** Names of such trees that are written to: containers of the image. */
  readonly written?: (directory: string) => readonly string[];
}

const program = (...names: readonly string[]) =>
  names.flatMap((name) => ['/usr/bin', '/usr/sbin', '/usr/local/bin'].map((directory) => `${directory}/${name}`));

export const STORES: readonly Store[] = [
  {
    path: '/var/lib/docker',
    programs: program('dockerd'),
    layers: ['overlay2/*/diff'],
    written: (directory) => {
      const mounts = join(directory, 'image/overlay2/layerdb/mounts');
      const ids = namesIn(mounts).flatMap((name) => [join(mounts, name, 'mount-id'), join(mounts, name, 'init-id')]);
      return ids.filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8').trim());
    },
  },
  {
    path: '/var/lib/containers',
    programs: program('podman', 'buildah', 'crio'),
    layers: ['storage/overlay/*/diff'],
    written: (directory) => {
      const file = join(directory, 'storage/overlay-containers/containers.json');
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      return [...text.matchAll(/"layer"\s*:\s*"([0-9a-f]+)"/g)].map(([, id = '']) => id);
    },
  },
  {
    path: '/var/lib/containerd',
    programs: program('containerd'),
    layers: ['io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs', 'io.containerd.content.v1.content/blobs/*'],
  },
  { path: '/var/lib/kubelet', programs: program('kubelet') },
  { path: '/var/lib/rancher', programs: program('k3s', 'rke2') },
  { path: '/var/lib/buildkit', programs: program('buildkitd') },
  { path: '/var/lib/lxc', programs: program('lxc-start') },
  { path: '/var/lib/lxd', programs: program('lxd') },
  { path: '/var/lib/incus', programs: program('incusd') },
];

/** More than this is not copied: it stays on the union, where it can be read and written, but no overlay put on it. */
const MOST_COPIED_BYTES = 256 * 1024 * 1024;

function namesIn(directory: string): readonly string[] {
  return lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(directory) : [];
}

/** Whether a path below a store is one of its layers: the place of `*` in the pattern is the layer's name. Pure. */
export function isLayer(path: string, layers: readonly string[], written: readonly string[]): boolean {
  const parts = path.split('/');
  return layers.some((pattern) => {
    const wanted = pattern.split('/');
    if (wanted.length !== parts.length) return false;
    return wanted.every((part, i) => (part === '*' ? !written.includes(parts[i] ?? '') : part === parts[i]));
  });
}

interface StorePlan {
  /** Below the store, in the order in which they can be made. */
  readonly copied: readonly string[];
  readonly layers: readonly string[];
  readonly sizeBytes: number;
}

/** What of a store is copied and what is shown as it is. `lower`: the same store in the image itself. */
function planStore(from: string, lower: string, { layers = [], written }: Store): StorePlan {
  const writtenNames = written?.(from) ?? [];
  const copied: string[] = [];
  const shown: string[] = [];
  let sizeBytes = 0;
  const see = (below: string) => {
    for (const name of namesIn(join(from, below))) {
      const path = below === '' ? name : `${below}/${name}`;
      const stat = lstatSync(join(from, path));
      copied.push(path);
      if (stat.isFile()) sizeBytes += stat.size;
      if (!stat.isDirectory()) continue;
      // what was written since is in the upper layer, and a layer that is new there is copied
      if (isLayer(path, layers, writtenNames) && existsSync(join(lower, path))) shown.push(path);
      else see(path);
    }
  };
  see('');
  return { copied, layers: shown, sizeBytes };
}

function copyOne(from: string, to: string): void {
  const kind = lstatSync(from);
  const { mode, uid, gid, atimeMs, mtimeMs } = kind;
  if (kind.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (kind.isDirectory()) mkdirSync(to, { recursive: true });
  else if (kind.isFile()) copyFileSync(from, to);
  else return; // sockets and pipes are made by who listens
  lchownSync(to, uid, gid);
  if (kind.isSymbolicLink()) return;
  chmodSync(to, mode & 0o7777);
  utimesSync(to, atimeMs / 1000, mtimeMs / 1000);
}

/** systemd's name of a mount unit, systemd.unit(5), "String escaping for inclusion in unit names". Pure. */
export function mountUnit(path: string): string {
  const escaped = path
    .replace(/^\/+|\/+$/g, '')
    .split('')
    .map((letter) =>
      letter === '/'
        ? '-'
        : /[A-Za-z0-9:_.]/.test(letter)
          ? letter
          : `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
    .join('');
  return `${escaped}.mount`;
}

export interface Beside {
  /** What is now where, for boot.json. */
  readonly notes: readonly string[];
  /** Mount points below the root, in the order they were made. */
  readonly mounted: readonly string[];
  /** Directories below the root that were not there. */
  readonly made: readonly string[];
}

/**
 * Shows a directory beside the upper layer at each place where an engine of this image keeps its layers. What the image
 * has there stays visible.
 * @throws SyscallError when one cannot be mounted: what was mounted before is taken down again
 */
export function mountBeside(root: string, lower: string, cow: Cow): Beside {
  const notes: string[] = [];
  const mounted: string[] = [];
  const made: string[] = [];
  using undo = new DisposableStack();
  for (const store of STORES) {
    const target = join(root, store.path);
    const isThere = lstatSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
    // a link leads to where a person wants it
    if (!isThere && (existsSync(target) || !store.programs.some((path) => existsSync(join(root, path))))) continue;
    if (!isThere) {
      made.push(...makeDirectories(root, store.path));
      chmodSync(target, 0o711);
    }
    const own = join(dirname(cow.upper), 'beside', store.path.slice(1).replaceAll('/', '-'));
    const plan = planStore(target, join(lower, store.path), store);
    if (plan.sizeBytes > MOST_COPIED_BYTES && !existsSync(own)) {
      notes.push(`${store.path} stays on the union: ${Math.round(plan.sizeBytes / 1e6)} MB would have to be copied`);
      continue;
    }
    fill(own, target, plan.copied);
    const show = (from: string, to: string) => {
      bindMount(from, to);
      undo.defer(() => umount(to));
      mounted.push(to.slice(root.length));
    };
    show(own, target);
    for (const layer of plan.layers)
      if (existsSync(join(target, layer))) show(join(lower, store.path, layer), join(target, layer));
    notes.push(
      `${store.path} lies beside the upper layer${plan.layers.length > 0 ? `, ${plan.layers.length} layers in the image` : ''}`,
    );
  }
  undo.move();
  return { notes, mounted, made };
}

/** Once: a disk that keeps what is written has it from then on. A copy that was cut short is begun anew. */
function fill(own: string, from: string, copied: readonly string[]): void {
  if (existsSync(own)) return;
  const part = `${own}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(dirname(own), { recursive: true, mode: 0o700 });
  copyOne(from, part);
  for (const path of copied) copyOne(join(from, path), join(part, path));
  renameSync(part, own);
}
