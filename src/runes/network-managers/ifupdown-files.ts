import { dirname, join } from 'node:path';
import type { NewRoot } from '../new-root.ts';
import { type IfupdownFile, includesOf, isSourced } from './ifupdown.ts';

export const INTERFACES = '/etc/network/interfaces';

type Files = Pick<NewRoot, 'read' | 'names'>;

/** Paths that a pattern of wordexp(3) with `*` and `?` names in the root. */
function expand(pattern: string, root: Files): string[] {
  let found = ['/'];
  for (const part of pattern.split('/').filter((one) => one !== '')) {
    const source = part
      .replace(/[.+^${}()|\\[\]]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    const regular = new RegExp(`^${source}$`);
    found = found.flatMap((directory) =>
      /[*?]/.test(part)
        ? root
            .names(directory)
            .flatMap((name) => (!name.startsWith('.') && regular.test(name) ? [join(directory, name)] : []))
        : [join(directory, part)],
    );
  }
  return found;
}

/** /etc/network/interfaces and every file it includes, each once. */
export function readIfupdownFiles(root: Files, path = INTERFACES): readonly IfupdownFile[] {
  const files = new Map<string, IfupdownFile>();
  const see = (file: string) => {
    const text = files.has(file) ? undefined : root.read(file);
    if (text === undefined) return;
    files.set(file, { path: file, text });
    const { patterns, directories } = includesOf(text);
    const absolute = (one: string) => (one.startsWith('/') ? one : join(dirname(file), one));
    for (const pattern of patterns) for (const one of expand(absolute(pattern), root)) see(one);
    for (const pattern of directories)
      for (const directory of expand(absolute(pattern), root))
        for (const name of root.names(directory)) if (isSourced(name)) see(join(directory, name));
  };
  see(path);
  return [...files.values()];
}
