import { dirname } from 'node:path/posix';
import type { NewRoot } from '../../../src/runes/new-root.ts';

export interface FakeRoot {
  readonly root: NewRoot;
  /** By path: text, `→ TARGET` for a link; undefined: removed. */
  readonly changes: Record<string, string | undefined>;
  readonly notes: string[];
}

const LINK = '→ ';

/**
 * A new root of a few files, as a plugin's `prepare` sees it.
 * @param image what the image has, by path: text, or `→ TARGET` for a link
 * @param facts what is not as usual: `kept` is what earlier boots wrote above the image
 */
export function fakeRoot(
  image: Readonly<Record<string, string>> = {},
  {
    kept = {},
    ...facts
  }: Partial<Pick<NewRoot, 'machine' | 'role' | 'init'>> & { readonly kept?: Readonly<Record<string, string>> } = {},
): FakeRoot {
  const changes: Record<string, string | undefined> = {};
  const notes: string[] = [];
  const contentOf = (path: string) => (path in changes ? changes[path] : (kept[path] ?? image[path]));
  const paths = () => Object.keys({ ...image, ...kept, ...changes }).filter((path) => contentOf(path) !== undefined);
  const has = (path: string) => paths().some((one) => one === path || one.startsWith(`${path}/`));
  const root: NewRoot = {
    machine: {
      hostname: 'm',
      macs: ['02:00:00:00:00:01'],
      addresses: [],
      booted: 'medium',
      bootMac: undefined,
      commandLine: '',
      image: undefined,
    },
    role: 'r',
    init: 'systemd',
    ...facts,
    read: (path) => (contentOf(path)?.startsWith(LINK) ? undefined : contentOf(path)),
    has,
    linkTarget: (path) => (contentOf(path)?.startsWith(LINK) ? contentOf(path)?.slice(LINK.length) : undefined),
    names: (directory) => {
      const below = paths().filter((path) => path.startsWith(`${directory}/`));
      return [...new Set(below.map((path) => path.slice(directory.length + 1).split('/')[0] ?? ''))].sort();
    },
    isOfImage: (path) => contentOf(path) !== undefined && contentOf(path) === image[path],
    write: (path, text) => {
      if (dirname(path) === '/') throw new Error(`nothing is written to ${path}`);
      changes[path] = text;
    },
    link: (path, target) => {
      changes[path] = `${LINK}${target}`;
    },
    remove: (path) => {
      for (const one of paths()) if (one === path || one.startsWith(`${path}/`)) changes[one] = undefined;
    },
    note: (what) => notes.push(what),
  };
  return { root, changes, notes };
}
