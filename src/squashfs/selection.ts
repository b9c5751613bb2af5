import type { ImageEntry, SquashfsImage } from './squashfs-image.ts';

/**
 * What lies at and below the given paths of an image, each once, with the directories that lead there; all of it when no
 * path is given. In an order that has each directory before what lies in it.
 * @param paths bytes, parts joined by `/`
 * @param missing is called with a path that the image does not have; must throw
 */
export function* selectEntries(
  image: SquashfsImage,
  paths: readonly Buffer[],
  missing: (path: Buffer) => never,
): Generator<ImageEntry, void, undefined> {
  const wanted = withoutNested(paths);
  if (wanted.length === 0 || wanted.some((path) => path.length === 0)) return yield* image.walk();
  // All are looked for before anything is made of the first.
  const found = wanted.map((path) => image.find(path) ?? missing(path));
  const given = new Set<string>();
  for (const target of found) {
    for (const path of leadingTo(target.path)) {
      const key = path.toString('latin1');
      if (given.has(key)) continue;
      given.add(key);
      const directory = image.find(path);
      if (directory !== undefined) yield directory;
    }
    yield* image.walk(target);
  }
}

/** Sorted as a walk meets them, and none that lies below another. */
function withoutNested(paths: readonly Buffer[]): Buffer[] {
  const keys = paths.map((path) => path.toString('latin1').split('/')).sort(byParts);
  const kept: string[][] = [];
  for (const key of keys) {
    const last = kept.at(-1);
    if (last === undefined || !last.every((part, i) => key[i] === part)) kept.push(key);
  }
  return kept.map((key) => Buffer.from(key.join('/'), 'latin1'));
}

function byParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [left, right] = [a[i] ?? '', b[i] ?? ''];
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}

/** The root, and each directory on the way. */
function leadingTo(path: Buffer): Buffer[] {
  const parts = path.toString('latin1').split('/');
  return parts.map((_, i) => Buffer.from(parts.slice(0, i).join('/'), 'latin1'));
}
