import { dirname, join } from 'node:path';
import type { RootReader } from './root-reader.ts';

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
