import { dirname, join, resolve } from 'node:path';
import type { SysTree } from '../../../src/hardware/sys-tree.ts';

/** A /sys of a test: path → text, or `-> TARGET` for a link. Directories are what paths lie in; links are followed. */
export function memoryTree(files: Readonly<Record<string, string>>): SysTree {
  const children = new Map<string, Set<string>>();
  for (let path of Object.keys(files)) {
    for (let parent = dirname(path); path !== parent; path = parent, parent = dirname(path)) {
      const names = children.get(parent) ?? new Set();
      children.set(parent, names.add(path.slice(parent === '/' ? 1 : parent.length + 1)));
    }
  }
  const linkAt = (path: string) => (files[path]?.startsWith('-> ') ? files[path].slice(3) : undefined);
  const real = (path: string): string => {
    if (path === '/') return path;
    const parent = real(dirname(path));
    const here = join(parent, path.slice(path.lastIndexOf('/') + 1));
    const target = linkAt(here);
    return target === undefined ? here : real(resolve(parent, target));
  };
  return {
    list: (directory) => [...(children.get(real(directory)) ?? [])],
    read: (file) => files[real(file)],
    link: (path) => {
      const parent = real(dirname(path));
      const target = linkAt(join(parent, path.slice(path.lastIndexOf('/') + 1)));
      return target === undefined ? undefined : resolve(dirname(path), target);
    },
  };
}

export interface MemoryDevice {
  readonly bus: string;
  /** Below /sys/devices. */
  readonly path: string;
  readonly modalias?: string;
  readonly driver?: string;
  /** Further files in its directory. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The files of these devices, with the links from their buses. */
export function deviceFiles(devices: readonly MemoryDevice[]): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { bus, path, modalias, driver, files: more = {} } of devices) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const lines = [
      ...(driver === undefined ? [] : [`DRIVER=${driver}`]),
      ...(modalias === undefined ? [] : [`MODALIAS=${modalias}`]),
    ];
    files[`/sys/devices/${path}/uevent`] = lines.join('\n');
    files[`/sys/bus/${bus}/devices/${name}`] = `-> ../../../devices/${path}`;
    if (driver !== undefined) {
      files[`/sys/devices/${path}/driver`] = `-> /sys/bus/${bus}/drivers/${driver}`;
      files[`/sys/bus/${bus}/drivers/${driver}/uevent`] = '';
    }
    for (const [file, text] of Object.entries(more)) files[`/sys/devices/${path}/${file}`] = text;
  }
  return files;
}
