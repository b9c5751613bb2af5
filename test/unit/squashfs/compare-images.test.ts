import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareImages } from '../../../src/squashfs/compare-images.ts';
import type { TreeEntry } from '../../../src/squashfs/entry.ts';
import { SquashfsImage } from '../../../src/squashfs/squashfs-image.ts';
import { writeSquashfs } from '../../../src/squashfs/write-squashfs.ts';
import { noise, temporaryFolder } from '../image/images.ts';
import { entry, everyKind, file } from './trees.ts';

/** `changed etc/passwd content,time`, for each difference. */
async function differences(before: readonly TreeEntry[], after: readonly TreeEntry[]): Promise<string[]> {
  using folder = temporaryFolder();
  const [a, b] = [folder.at('a.sqfs'), folder.at('b.sqfs')];
  await writeSquashfs(before, a, { level: 1 });
  await writeSquashfs(after, b, { level: 1, blockSize: 4096 });
  using left = new SquashfsImage(a);
  using right = new SquashfsImage(b);
  const lines: string[] = [];
  for await (const each of compareImages(left, right, { signal: new AbortController().signal })) {
    const what = each.change === 'changed' ? ` ${each.what.join(',')}` : '';
    lines.push(`${each.change} ${each.path.toString('latin1')}${what}`);
  }
  return lines;
}

const root = entry('', 'directory', { mode: 0o755 });

describe('compareImages', () => {
  test('finds nothing between images of one tree, however they are packed', async () => {
    expect(await differences(everyKind(), everyKind())).toEqual([]);
  });

  test('tells what was added, removed and changed, and what of it', async () => {
    const large = noise(3_000_000);
    const other = Buffer.from(large);
    other[2_999_999] = (other[2_999_999] ?? 0) ^ 1;
    const target = (text: string) => ({ target: Buffer.from(text), mode: 0o777 });
    const before = [
      root,
      entry('a', 'directory', { mode: 0o755 }),
      file('a/gone', 'x'),
      entry('a-z', 'directory', { mode: 0o755 }),
      file('a-z/same', 'same'),
      file('content', large),
      file('mode', 'm'),
      file('owner', 'o'),
      file('time', 't'),
      file('kind', 'k'),
      file('named', 'n'),
      entry('link', 'symlink', target('one')),
      entry('null', 'character', { device: { major: 1, minor: 3 } }),
      file('marked', 'x', { attributes: new Map([['user.a', Buffer.from('1')]]) }),
    ];
    const after = [
      root,
      entry('a', 'directory', { mode: 0o755, mtime: 5 }),
      file('a/new', 'x'),
      entry('a-z', 'directory', { mode: 0o755 }),
      file('a-z/same', 'same'),
      file('content', other),
      file('mode', 'm', { mode: 0o600 }),
      file('owner', 'o', { uid: 7 }),
      file('time', 't', { mtime: 5 }),
      entry('kind', 'directory', { mode: 0o755 }),
      file('first', 'n'),
      entry('named', 'hardlink', { target: Buffer.from('first') }),
      entry('link', 'symlink', target('two')),
      entry('null', 'character', { device: { major: 1, minor: 5 } }),
      file('marked', 'x', { attributes: new Map([['user.a', Buffer.from('2')]]) }),
    ];
    expect(await differences(before, after)).toEqual([
      'removed a/gone',
      'added a/new',
      'changed content content',
      'added first',
      'changed kind kind',
      'changed link target',
      'changed marked attributes',
      'changed mode mode',
      'changed null device',
      'changed owner owner',
      'changed time time',
    ]);
  });

  test('of any two trees it tells exactly the names and contents that differ', async () => {
    // Names that a slash sorts between: `a`, `a/…`, `a.`, `a0`.
    const names = fc.constantFrom('a', 'a.', 'a0', 'b', 'b-');
    const paths = fc.oneof(
      names,
      fc.tuple(fc.constantFrom('d', 'd.', 'd0'), names).map(([directory, name]) => `${directory}/${name}`),
    );
    const trees = fc.dictionary(paths, fc.string({ maxLength: 3 }), { maxKeys: 8 });
    const entries = (tree: Readonly<Record<string, string>>) => [
      root,
      ...['d', 'd.', 'd0'].map((name) => entry(name, 'directory', { mode: 0o755 })),
      ...Object.entries(tree).map(([path, text]) => file(path, text)),
    ];
    await fc.assert(
      fc.asyncProperty(trees, trees, async (before, after) => {
        const expected = [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((path) => {
          if (!Object.hasOwn(before, path)) return [`added ${path}`];
          if (!Object.hasOwn(after, path)) return [`removed ${path}`];
          return before[path] === after[path] ? [] : [`changed ${path} content`];
        });
        expect((await differences(entries(before), entries(after))).sort()).toEqual(expected.sort());
      }),
      { numRuns: 30 },
    );
  });
});
