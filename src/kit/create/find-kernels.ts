import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type FoundKernel, versionIn } from '../../image/sources/families/choose-kernel.ts';
import { type Family, familyOf, UNKNOWN } from '../../image/sources/families/family.ts';
import { KERNEL_HEAD_BYTES, kernelImageVersion } from '../../image/sources/families/kernel-image.ts';
import { inTree } from '../initrd/find-modules.ts';

const MODULES = ['/usr/lib/modules', '/lib/modules'];
/** Signatures, copies and what is for crashes only lie beside kernels. */
const NO_KERNEL = /\.(old|sig|hmac|bak|dpkg-\w+)$|kdump|rescue/;

/** What is known of a tree without its paths: the text of os-release says the family. */
export function familyOfTree(tree: string): Family {
  const file = ['/etc/os-release', '/usr/lib/os-release']
    .map((path) => inTree(tree, path))
    .find((path) => path !== undefined);
  return familyOf(
    file === undefined ? undefined : readFileSync(file, 'utf8'),
    (path) => inTree(tree, `/${path}`) !== undefined,
  );
}

/** The kernels that lie where the family has them; where there are none, at the places of any family. */
export function findKernels(tree: string, family: Family): FoundKernel[] {
  const paths = candidates(tree);
  const mine = kernelsAt(tree, family.kernels, paths);
  return mine.length > 0 ? mine : kernelsAt(tree, UNKNOWN.kernels, paths);
}

function kernelsAt(tree: string, patterns: readonly string[], paths: readonly string[]): FoundKernel[] {
  const found = new Map<string, FoundKernel>();
  for (const pattern of patterns) {
    for (const path of paths) {
      const named = versionIn(pattern, path);
      const file = named === undefined || found.has(path) ? undefined : inTree(tree, path);
      if (file === undefined || !statSync(file).isFile()) continue;
      const version = named === '' ? kernelImageVersion(headOf(file)) : named;
      if (version !== undefined) found.set(path, { path, version, hasModules: hasModules(tree, version) });
    }
  }
  return [...found.values()];
}

/** Files in /boot, and the kernels that lie with their modules. */
function candidates(tree: string): string[] {
  const names = (directory: string): string[] => {
    const path = inTree(tree, directory);
    return path === undefined || !statSync(path).isDirectory() ? [] : readdirSync(path).sort();
  };
  const inBoot = names('/boot').map((name) => `/boot/${name}`);
  const withModules = MODULES.flatMap((place) => names(place).map((version) => `${place}/${version}/vmlinuz`));
  return [...withModules, ...inBoot].filter((path) => !NO_KERNEL.test(path));
}

export function hasModules(tree: string, version: string): boolean {
  return MODULES.some((place) => {
    const path = inTree(tree, `${place}/${version}`);
    return path !== undefined && existsSync(join(path, 'modules.dep'));
  });
}

/** As much of a kernel as says its version. */
export function headOf(path: string): Buffer {
  const head = Buffer.alloc(KERNEL_HEAD_BYTES);
  const fd = openSync(path, 'r');
  try {
    return head.subarray(0, readSync(fd, head, 0, head.length, 0));
  } finally {
    closeSync(fd);
  }
}
