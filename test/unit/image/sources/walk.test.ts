import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emptyReport } from '../../../../src/image/sources/report.ts';
import { FileReading } from '../../../../src/image/sources/tree/file-reading.ts';
import { openView } from '../../../../src/image/sources/tree/view.ts';
import { type WalkOptions, walkTree } from '../../../../src/image/sources/tree/walk.ts';
import { getXattr } from '../../../../src/linux/xattr.ts';
import type { TreeEntry } from '../../../../src/squashfs/entry.ts';
import { noise, temporaryFolder } from '../images.ts';
import { describeAll, describeEntry } from './described.ts';
import { makeOddTree } from './odd-tree.ts';

const folder = temporaryFolder();
let count = 0;
const newTree = (): string => {
  const path = folder.at(`tree-${count++}`);
  mkdirSync(path);
  return path;
};
afterAll(() => folder[Symbol.dispose]());

function* walk(root: string, more: Partial<WalkOptions> = {}): Generator<TreeEntry, void, void> {
  using view = openView({ root, isSystem: false, crossAll: false, asked: [] });
  yield* walkTree({ name: root, ...view, report: emptyReport(), ...more });
}

const paths = (entries: Iterable<TreeEntry>): string[] => [...entries].map(({ path }) => path.toString());

const KINDS: Readonly<Record<string, string>> = {
  d: 'directory',
  f: 'file',
  l: 'symlink',
  p: 'fifo',
  c: 'character',
  b: 'block',
  s: 'socket',
};

/** What find(1) says of each file: path, kind, mode, owner, whole seconds, a link's text. */
function foundByFind(root: string): Map<string, string[]> {
  const format = '%P\\0%y\\0%m\\0%U:%G\\0%T@\\0%l\\0';
  const words = execFileSync('find', [root, '-printf', format], { maxBuffer: 1e9 }).toString('latin1').split('\0');
  const rows = Array.from({ length: Math.floor(words.length / 6) }, (_, i) => words.slice(6 * i, 6 * i + 6));
  return new Map(
    rows.map(([path = '', kind = '', mode = '', owner = '', time = '', target = '']) => [
      path,
      [KINDS[kind] ?? kind, kind === 'l' ? '0' : mode, owner, String(Math.floor(Number(time))), target],
    ]),
  );
}

describe('a tree with every kind of file', () => {
  const tree = folder.at('odd');
  beforeAll(() => {
    mkdirSync(tree);
    makeOddTree(tree);
  });

  test('is what find(1) says it is', async () => {
    const found = await describeAll(walk(tree));
    const judge = foundByFind(tree);
    expect([...found.keys()].sort()).toEqual([...judge.keys()].sort());
    for (const [path, { kind, mode, owner, mtime, target = '' }] of found) {
      if (kind === 'hardlink') continue;
      expect([kind, mode.toString(8), owner, String(mtime), target], path).toEqual(judge.get(path));
    }
  });

  test('has the content and the attributes of its files', async () => {
    const found = await describeAll(walk(tree));
    for (const [path, { kind, sha256 }] of found) {
      if (kind !== 'file') continue;
      const bytes = readFileSync(Buffer.from(`${tree}/${path}`, 'latin1'));
      expect(sha256, path).toBe(createHash('sha256').update(bytes).digest('hex').slice(0, 16));
    }
    expect(found.get('sub/text-again')?.attributes).toEqual({ 'user.comment': 'a\0b\n=\xff' });
    expect(found.get('link')?.attributes).toEqual({ 'trusted.of-a-link': 'link' });
    expect(found.get('sub')?.attributes).toEqual({ 'user.of a directory': 'yes' });
    const capability = getXattr(`${tree}/sub/noise`, 'security.capability');
    expect(found.get('sub/noise')?.attributes).toEqual({ 'security.capability': capability?.toString('latin1') });
    expect(found.get('null')?.device).toBe('1:3');
    expect(found.get('disk')?.device).toBe('259:70000');
  });

  test('names the first of several names, and gives holes as holes', async () => {
    const found = await describeAll(walk(tree));
    expect(found.get('sub/text-again')).toMatchObject({ kind: 'file' });
    expect(found.get('text')).toMatchObject({ kind: 'hardlink', target: 'sub/text-again' });
    for (const entry of walk(tree)) {
      if (entry.path.toString() !== 'sub/holes') continue;
      const content = await entry.open?.();
      expect(content?.nextData?.(0)).toBe(131_072);
      expect(content?.nextData?.(19_000_000)).toBe(20_000_000);
      await content?.close();
    }
  });

  test('comes in the same order each time, a directory before what is in it', () => {
    const order = paths(walk(tree));
    expect(paths(walk(tree))).toEqual(order);
    for (const [i, path] of order.entries()) {
      const parent = path.includes('/') ? path.replace(/\/[^/]*$/, '') : '';
      expect(order.indexOf(parent)).toBeLessThanOrEqual(i);
    }
  });
});

describe('files that are written to meanwhile', () => {
  /** The tree's entries, with `meddle` called while the content of `name` is read: at its first rounds so many. */
  async function readMeanwhile(tree: string, rounds: number, meddle: (round: number) => void) {
    const report = emptyReport();
    const contents: Buffer[] = [];
    for (const entry of walk(tree, { report })) {
      if (entry.path.toString() !== 'file') continue;
      const content = await entry.open?.();
      if (content === undefined) throw new Error('no content');
      const first = Buffer.alloc(1000);
      await content.read(first, 0);
      if (contents.length < rounds) meddle(contents.length);
      const rest = Buffer.alloc(content.size - 1000);
      await content.read(rest, 1000);
      await content.close();
      contents.push(Buffer.concat([first, rest]));
    }
    return { report, contents };
  }

  test.each([5000, 500_000])('one of %i bytes that changes once is read again', async (size) => {
    const tree = newTree();
    writeFileSync(`${tree}/file`, noise(size));
    const { report, contents } = await readMeanwhile(tree, 1, () => appendFileSync(`${tree}/file`, 'more'));
    expect(contents).toHaveLength(2);
    expect(contents[1]).toEqual(readFileSync(`${tree}/file`));
    expect(report.changed).toEqual([]);
  });

  test('one that becomes shorter is read again', async () => {
    const tree = newTree();
    writeFileSync(`${tree}/file`, noise(500_000));
    const { contents } = await readMeanwhile(tree, 1, () => truncateSync(`${tree}/file`, 2000));
    expect(contents[0]).toHaveLength(500_000);
    expect(contents[1]).toEqual(readFileSync(`${tree}/file`));
  });

  test('one that always changes is named', async () => {
    const tree = newTree();
    writeFileSync(`${tree}/file`, noise(5000));
    const { report, contents } = await readMeanwhile(tree, 9, (n) => appendFileSync(`${tree}/file`, `${n}`));
    expect(contents).toHaveLength(3);
    expect(report.changed).toEqual(['file']);
  });

  test('what is gone when its turn comes is named, and a link in its place is not followed', () => {
    const tree = newTree();
    for (const name of ['a', 'b', 'c', 'd/e', 'z']) {
      if (name.includes('/')) mkdirSync(`${tree}/d`);
      writeFileSync(`${tree}/${name}`, name);
    }
    const report = emptyReport();
    const seen: string[] = [];
    for (const { path, kind } of walk(tree, { report })) {
      seen.push(`${path}:${kind}`);
      if (path.toString() !== 'a') continue;
      rmSync(`${tree}/b`);
      rmSync(`${tree}/d`, { recursive: true });
      symlinkSync('/etc', `${tree}/d`);
    }
    expect(seen).toEqual([':directory', 'a:file', 'c:file', 'd:symlink', 'z:file']);
    expect(report.vanished).toEqual(['b']);
  });
});

describe('files that cannot be read', () => {
  /** In a process of somebody without rights. */
  const asNobody = (tree: string): { error: string; list: string[]; given: number } => {
    const child = join(import.meta.dirname, 'child/walk-as-nobody.ts');
    return JSON.parse(execFileSync(process.execPath, [child, tree], { encoding: 'utf8' }));
  };

  test('are all named, and nothing more is given once there is one', () => {
    chmodSync(folder.path, 0o755);
    const tree = newTree();
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(`${tree}/${name}`, name);
    mkdirSync(`${tree}/closed`);
    for (const name of ['b', 'd', 'closed']) chmodSync(`${tree}/${name}`, 0);
    const { error, list, given } = asNobody(tree);
    expect(error).toMatch(/^tree: 3 files, listed above, cannot be read, so no image is made/);
    expect(list).toEqual([
      'cannot read b: Permission denied',
      'cannot read closed: Permission denied',
      'cannot read d: Permission denied',
    ]);
    expect(given).toBe(2);
  });

  test('of one the reason is in the line; an ordinary user walks an own tree', () => {
    const tree = newTree();
    mkdirSync(`${tree}/sub`);
    writeFileSync(`${tree}/sub/file`, 'x');
    symlinkSync('x', `${tree}/link`);
    execFileSync('chown', ['-R', '65534:65534', tree]);
    expect(asNobody(tree)).toEqual({ error: '', list: [], given: 4 });
    chmodSync(`${tree}/sub/file`, 0);
    expect(asNobody(tree).error).toMatch(/^tree: sub\/file \(Permission denied\) cannot be read/);
  });

  test('one whose disk fails in the middle is told of at the end', () => {
    const directory = openSync(newTree(), 'r'); // what a read of a directory gives: an error
    const reading = new FileReading(directory, { ...fstatSync(directory, { bigint: true }), size: 10n, blocks: 8n });
    const into = Buffer.alloc(10, 1);
    expect(reading.read(into, 0)).toBe(10);
    expect(into).toEqual(Buffer.alloc(10));
    reading.close();
    expect(reading.error?.message).toMatch(/^EISDIR/);
  });
});

test('the image that is being made is left out, and said so', () => {
  const tree = newTree();
  for (const name of ['x.sqfs', 'x.sqfs.partial', 'y']) writeFileSync(`${tree}/${name}`, name);
  const report = emptyReport();
  expect(paths(walk(tree, { report, isOwn: (_directory, name) => name.startsWith('x.') }))).toEqual(['', 'y']);
  expect(report.leftOut).toEqual([
    { path: 'x.sqfs', why: 'the image itself' },
    { path: 'x.sqfs.partial', why: 'the image itself' },
  ]);
});

test('what is omitted is not looked into, and its other names are files by themselves', async () => {
  const tree = newTree();
  mkdirSync(`${tree}/cache/sub`, { recursive: true });
  writeFileSync(`${tree}/cache/file`, 'both');
  linkSync(`${tree}/cache/file`, `${tree}/other`);
  const omits = (path: string): boolean => path === 'cache';
  expect(paths(walk(tree, { omits }))).toEqual(['', 'other']);
  for (const entry of walk(tree, { omits })) {
    if (entry.path.toString() !== 'other') continue;
    expect(await describeEntry(entry)).toMatchObject({ kind: 'file', size: 4 });
  }
});

test('a content that nobody opened, or closed, leaves no descriptor behind', async () => {
  const tree = newTree();
  for (let i = 0; i < 50; i++) writeFileSync(`${tree}/${i}`, noise(10));
  const open = (): number =>
    readFileSync('/proc/self/stat') && Number(execFileSync('sh', ['-c', `ls /proc/${process.pid}/fd | wc -l`]));
  const before = open();
  for (const entry of walk(tree)) void entry; // not opened
  for (const entry of walk(tree)) await entry.open?.(); // not closed
  for (const entry of walk(tree)) if (entry.kind === 'file') break; // not walked to the end
  expect(open()).toBe(before);
});
