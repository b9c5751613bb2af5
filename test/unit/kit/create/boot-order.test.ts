import { mkdirSync, writeFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { printProfile } from '../../../../src/image/profile/profile.ts';
import { knownIndex } from '../../../../src/kit/image/known-index.ts';
import { compareImages } from '../../../../src/squashfs/compare-images.ts';
import { SquashfsImage } from '../../../../src/squashfs/squashfs-image.ts';
import { noise, temporaryFolder } from '../../image/images.ts';
import { viver } from '../run-viver.ts';

const folder = temporaryFolder();
const tree = folder.at('tree');
const [old, made, profile] = [folder.at('old.sqfs'), folder.at('new.sqfs'), folder.at('old.profile')];
const signal = new AbortController().signal;
const create = (...words: string[]) => viver('image', 'create', tree, '--no-kernel', '--level', '1', ...words);

/** Large files, which have blocks of their own, and small ones, which share one. */
const LARGE = ['a', 'b', 'c', 'd', 'e'];

function placesIn(path: string): Record<string, number> {
  using image = new SquashfsImage(path);
  const entries = [...image.walk()].filter(({ kind }) => kind === 'file');
  return Object.fromEntries(entries.map((entry) => [entry.path.toString(), image.packedSpans(entry)[0]?.start ?? 0]));
}

beforeAll(async () => {
  mkdirSync(tree);
  for (const [i, name] of LARGE.entries()) writeFileSync(`${tree}/${name}`, noise(400_000, i + 1));
  for (const [i, name] of ['s1', 's2', 's3'].entries()) writeFileSync(`${tree}/${name}`, noise(20_000, i + 50));
  expect(await create('-o', old)).toMatchObject({ code: 0 });
  const { id: image, size } = await knownIndex(old, signal);
  const places = placesIn(old);
  // A boot reads d, then b, then the block of the small ones.
  const ranges = ['d', 'b', 's1'].map((name, i) => {
    const start = places[name] ?? 0;
    return { start: start + 5000, end: start + 6000, boots: 1, at: i * 1000 };
  });
  writeFileSync(profile, printProfile({ image, size, boots: 1, ranges }));
  return () => folder[Symbol.dispose]();
});

test('what a boot reads lies side by side, in its order, behind the rest; the tree is the same', async () => {
  expect(await create('-o', made, '--base', old, '--profile', profile)).toMatchObject({ code: 0 });
  const places = placesIn(made);
  const order = Object.keys(places).sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0) || (a < b ? -1 : 1));
  expect(order).toEqual(['a', 'c', 'e', 'd', 'b', 's1', 's2', 's3']);
  using before = new SquashfsImage(old);
  using after = new SquashfsImage(made);
  for await (const difference of compareImages(before, after, { signal })) expect.fail(String(difference.path));
});

test('a profile of another image, none, or one without the image are refused in one line', async () => {
  expect(await create('-o', folder.at('x.sqfs'), '--profile', profile)).toMatchObject({ code: 2 });
  expect(await create('-o', folder.at('x.sqfs'), '--base', made, '--profile', profile)).toMatchObject({
    code: 1,
    stderr: `viver image: ${profile} was recorded from another image than ${made}: --base wants the image it is of\n`,
  });
  const other = folder.at('other.profile');
  writeFileSync(other, 'nothing\n');
  const { code, stderr } = await create('-o', folder.at('x.sqfs'), '--base', old, '--profile', other);
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`^viver image: ${other}: no boot profile[^\n]*\n$`));
});
