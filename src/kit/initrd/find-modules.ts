import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { resolveBelow } from '../../root/resolve-below.ts';
import { rootReader } from '../../root/root-reader.ts';

/** Where a distribution's kernel modules lie. */
const MODULES = ['/lib/modules', '/usr/lib/modules'];

/** The path from here of a file of the tree, its links followed as in the tree; undefined: there is none. */
export function inTree(tree: string, path: string): string | undefined {
  const found = resolveBelow(tree, path, rootReader);
  return found === undefined ? undefined : join(tree, found);
}

export interface KernelModules {
  /** As in uname -r. */
  readonly version: string;
  /** From here. */
  readonly directory: string;
}

/**
 * The modules of a kernel of a tree.
 * @param version as in uname -r; undefined: the newest that has depmod's tables
 * @throws Error saying which versions there are
 */
export function findModules(tree: string, version?: string): KernelModules {
  const places = MODULES.map((place) => inTree(tree, place)).filter((place) => place !== undefined);
  const versionOrder = new Intl.Collator('en', { numeric: true });
  const versions = [...new Set(places.flatMap((place) => readdirSync(place)))].sort(versionOrder.compare).reverse();
  const found = (version === undefined ? versions : [version]).flatMap((each) =>
    places
      .map((place) => ({ version: each, directory: join(place, each) }))
      .filter(({ directory }) => existsSync(directory)),
  );
  const whole = found.find(({ directory }) => existsSync(join(directory, 'modules.dep')));
  if (whole !== undefined) return whole;
  const [bare] = found;
  if (bare !== undefined)
    throw new Error(`${bare.directory} has no modules.dep: run depmod -b ${tree} ${bare.version}`);
  const there = versions.length === 0 ? 'none at all' : versions.join(', ');
  throw new Error(`${join(tree, 'lib/modules')} has no modules of ${version ?? 'any kernel'} (there: ${there})`);
}
