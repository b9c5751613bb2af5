import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { type ChunkDifference, compareChunks } from '../../../src/image/compare-chunks.ts';
import { makeChunkIndex } from '../../../src/image/make-index.ts';
import { EarlierLayout } from '../../../src/squashfs/earlier-layout.ts';
import type { TreeEntry } from '../../../src/squashfs/entry.ts';
import { SquashfsImage } from '../../../src/squashfs/squashfs-image.ts';
import { writeSquashfs } from '../../../src/squashfs/write-squashfs.ts';
import { memoryImage, noise, sha256, temporaryFolder } from '../image/images.ts';
import { file } from './trees.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let count = 0;
const newPath = (): string => folder.at(`image-${count++}`);
const quick = { level: 1, epoch: 1_700_000_000 } as const;

/** 1500 small files of up to 8 KB and some large, in the order of their names; changed ones by `change`. */
function tree(change: (i: number) => 'same' | 'longer' | 'gone' | 'joined' = () => 'same'): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let i = 0; i < 1500; i++) {
    const name = `dir/${String(i).padStart(5, '0')}`;
    const size = i % 100 === 99 ? 600_000 : 100 + ((i * 7919) % 8000);
    const what = change(i);
    if (what === 'gone') continue;
    if (what === 'longer') entries.push(file(name, noise(size + 77, i + 10_000), { mtime: 1_690_000_000 }));
    else entries.push(file(name, noise(size, i)));
    if (what === 'joined') entries.push(file(`${name}.new`, noise(size, i + 20_000)));
  }
  return entries;
}

async function news(earlier: string, later: string): Promise<ChunkDifference> {
  const indexOf = (path: string) => makeChunkIndex(memoryImage(readFileSync(path)));
  return compareChunks(await indexOf(earlier), await indexOf(later));
}

async function written(entries: TreeEntry[], earlier?: string): Promise<string> {
  const path = newPath();
  if (earlier === undefined) await writeSquashfs(entries, path, quick);
  else {
    using image = new SquashfsImage(earlier);
    const layout = new EarlierLayout(image);
    await writeSquashfs(entries, path, { ...quick, group: (entry) => layout.group(entry) });
  }
  return path;
}

describe('an image laid out as an earlier one', () => {
  test('of the same tree is the same image', async () => {
    const first = await written(tree());
    const second = await written(tree(), first);
    expect(sha256(readFileSync(second))).toBe(sha256(readFileSync(first)));
  });

  test('shares all but what changed, where one packed anew shares little', async () => {
    const upgrade = (i: number) => {
      if (i >= 30 && i < 60) return 'longer';
      if (i === 400 || i === 900) return 'joined';
      return i === 700 ? 'gone' : 'same';
    };
    const first = await written(tree());
    const [anew, based] = [await written(tree(upgrade)), await written(tree(upgrade), first)];
    const [ofAnew, ofBased] = [await news(first, anew), await news(first, based)];
    // 30 files of 120 KB, and a fragment block (of 256 KiB that cannot be packed) for each place that changed.
    expect(ofBased.newBytes).toBeLessThan(2_000_000);
    expect(ofBased.newBytes).toBeLessThan(ofAnew.newBytes / 2);
    expect(readFileSync(based).length).toBeLessThan(readFileSync(anew).length * 1.01);
    const wanted = new Map(tree(upgrade).map(({ path, size }) => [path.toString(), size]));
    using image = new SquashfsImage(based);
    const found = [...image.walk()]
      .filter(({ kind }) => kind === 'file')
      .map(({ path, size }) => [path.toString(), size]);
    expect(new Map(found as [string, number][])).toEqual(wanted);
  });

  test('of another tree altogether is as if there had been none', async () => {
    const other = await written([file('other', noise(5000))]);
    expect(sha256(readFileSync(await written(tree(), other)))).toBe(sha256(readFileSync(await written(tree()))));
  });
});
