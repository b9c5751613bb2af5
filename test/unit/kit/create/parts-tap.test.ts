import { mkdtempSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { withPartsList } from '../../../../src/kit/create/parts-tap.ts';
import { imageParts } from '../../../../src/kit/spdx/image-parts.ts';
import { LIST_PLACE } from '../../../../src/kit/spdx/places.ts';
import type { TreeEntry } from '../../../../src/squashfs/entry.ts';
import { SquashfsImage } from '../../../../src/squashfs/squashfs-image.ts';
import { writeSquashfs } from '../../../../src/squashfs/write-squashfs.ts';
import { temporaryFolder } from '../../image/images.ts';
import { content, entry, file } from '../../squashfs/trees.ts';
import { RPM_TABLE, rpmHeader, sqliteFile } from '../spdx/bases/rpm-files.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const STATUS = 'var/lib/dpkg/status';
const stanza = (name: string) => `Package: ${name}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n`;

function textIn(image: SquashfsImage, path: string): string | undefined {
  const found = image.find(Buffer.from(path));
  if (found?.inode.kind !== 'file') return undefined;
  const bytes = Buffer.alloc(found.size ?? 0);
  const opened = found.open?.() as ReturnType<typeof content>;
  for (let at = 0; at < bytes.length; ) at += opened.read(bytes.subarray(at), at) as number;
  return bytes.toString();
}

const RPM = 'usr/lib/sysimage/rpm/rpmdb.sqlite';
sqliteFile(
  folder.at('rpmdb.sqlite'),
  [RPM_TABLE],
  ['r', 's'].map((name) =>
    rpmHeader({ name, version: '1', release: '2', epoch: 3, arch: 'noarch', license: 'MIT OR Own' }),
  ),
);
const rpmBytes = readFileSync(folder.at('rpmdb.sqlite'));

let made = 0;
/** An image of the entries, what was said, and the list in it. */
async function imageOf(entries: readonly TreeEntry[]) {
  const path = folder.at(`${made++}.sqfs`);
  const said: string[] = [];
  const context = {
    name: 'tree',
    work: mkdtempSync(folder.at('work-')),
    signal: new AbortController().signal,
    say: (line: string) => void said.push(line),
  };
  await writeSquashfs(withPartsList(entries, context), path, { level: 1 });
  using image = new SquashfsImage(path);
  const text = textIn(image, LIST_PLACE);
  const paths = [...image.walk()].map((each) => each.path.toString());
  const anew = await imageParts(image, 'anew').then(
    ({ document }) => document,
    () => undefined,
  );
  return { path, said, text, paths, anew };
}

/** What is the same in a list made of the image. */
const facts = (document: object) => ({ ...document, name: '', documentNamespace: '', creationInfo: '' });

describe('no list is made, one line says why, and the image is whole', () => {
  const status = file(STATUS, stanza('a'));
  const CASES: Readonly<Record<string, readonly [TreeEntry[], string]>> = {
    'of a tree without a data base': [[], 'it has no package data base of dpkg, apk, pacman or rpm (rpmdb.sqlite)'],
    'of a list that is a directory': [[entry(STATUS, 'directory')], '/var/lib/dpkg/status is no file but a directory'],
    'of a list that is a FIFO': [[entry(STATUS, 'fifo')], '/var/lib/dpkg/status is no file but a fifo'],
    'of a list that is a link': [
      [entry(STATUS, 'symlink', { target: Buffer.from('/etc/passwd') })],
      '/var/lib/dpkg/status is no file but a symlink',
    ],
    'of a list that is another name of something else': [
      [entry(STATUS, 'hardlink', { target: Buffer.from('other') })],
      '/var/lib/dpkg/status is no file but a link to one elsewhere',
    ],
    'of a list that is too long': [
      [
        entry(STATUS, 'file', {
          open: () => ({ ...content(Buffer.alloc(0)), size: 33 << 20, read: (into) => into.length }),
        }),
      ],
      `/var/lib/dpkg/status has ${33 << 20} bytes: too many`,
    ],
    'of a list with too many packages': [
      [file('lib/apk/db/installed', 'P:a\nV:1\n\n'.repeat(50_001))],
      '/lib/apk/db/installed: more than 50000 packages',
    ],
    'of a list that is no list': [[file(STATUS, 'hello')], '/var/lib/dpkg/status names no package'],
    'of a list of rpm that is cut off': [[file(RPM, rpmBytes.subarray(0, 5000))], `/${RPM}: page 2 is not there`],
    'of a list of rpm with changes beside it': [
      [file(RPM, rpmBytes), file(`${RPM}-wal`, 'x')],
      `/${RPM}: rpmdb.sqlite-wal beside it has changes that were not written into it yet: start rpm -qa once`,
    ],
    'below what is no directory': [
      [status, entry('usr/share', 'symlink', { target: Buffer.from('/opt') })],
      '/usr/share is no directory but a symlink',
    ],
    'in the place of a directory': [[status, file(`${LIST_PLACE}/x`, '')], `/${LIST_PLACE} is a directory`],
  };
  test.each(Object.entries(CASES))('%s', async (_name, [entries, why]) => {
    const { said, text, paths } = await imageOf([file('other', 'x'), ...entries]);
    expect(said).toEqual([`tree: no SPDX list in the image: ${why}`]);
    expect(text).toBeUndefined();
    expect(paths).toEqual(expect.arrayContaining(['other', ...entries.map(({ path }) => path.toString())]));
  });
});

test('records that are no package are counted in one line, the others are listed', async () => {
  const { said, text } = await imageOf([file(STATUS, `${stanza('a')}Package: half\nStatus: install o`)]);
  expect(said).toEqual([
    'tree: 1 records of its package data base have no name or no version, and are not in the SPDX list',
  ]);
  expect(JSON.parse(text ?? '').packages).toMatchObject([{ name: 'a' }]);
});

test('the list of an earlier image is replaced where it lies, and another name of it keeps what it was', async () => {
  const old = [file(LIST_PLACE, 'old'), entry('kept', 'hardlink', { target: Buffer.from(LIST_PLACE) })];
  const { path, text, said } = await imageOf([...old, file(STATUS, stanza('a'))]);
  expect(JSON.parse(text ?? '').packages).toHaveLength(1);
  expect(said).toEqual([]);
  using image = new SquashfsImage(path);
  expect(textIn(image, 'kept')).toBe('old');
  const without = await imageOf(old);
  expect(without.text).toBe('old');
  expect(without.said).toEqual([expect.stringMatching(/; what it has at \/\S+ stays as it is$/)]);
});

test('a directory on the way keeps its owner and rights, one that is missing is made with the time of the packages', async () => {
  const share = entry('usr/share', 'directory', { mode: 0o700, uid: 7 });
  const { path } = await imageOf([file(STATUS, stanza('a'), { mtime: 1234 }), share]);
  using image = new SquashfsImage(path);
  expect(image.find(Buffer.from('usr/share'))).toMatchObject({ mode: 0o700, uid: 7 });
  expect(image.find(Buffer.from('usr/share/viver'))).toMatchObject({ mode: 0o755, uid: 0, mtime: 1234 });
  expect(image.find(Buffer.from(LIST_PLACE))).toMatchObject({ kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 1234 });
});

test('a kernel with holes has the sum of its bytes', async () => {
  const bytes = Buffer.alloc(3 << 20);
  bytes.write('at the end', bytes.length - 20);
  const holes = { ...content(bytes), nextData: (at: number) => Math.max(at, 2 << 20) };
  const kernel = entry('boot/vmlinuz', 'file', { size: bytes.length, open: () => holes });
  const { text, anew } = await imageOf([file(STATUS, stanza('a')), kernel]);
  expect(facts(JSON.parse(text ?? ''))).toEqual(facts(anew ?? {}));
});

test('of hard links and links from directory to directory it says the same as of what they lead to', async () => {
  const link = (path: string, target: string, kind: 'hardlink' | 'symlink' = 'hardlink') =>
    entry(path, kind, { target: Buffer.from(target) });
  const doc = (name: string) => `usr/share/doc/${name}`;
  const { text, anew } = await imageOf([
    file('boot/vmlinuz-6', 'kernel'),
    link('boot/vmlinuz', 'boot/vmlinuz-6'),
    file(`${doc('a')}/copyright`, 'all rights'),
    link(`${doc('b')}/copyright`, `${doc('a')}/copyright`),
    link(doc('c'), 'd', 'symlink'),
    link(doc('d'), 'a', 'symlink'),
    link(doc('e'), 'f', 'symlink'),
    link(doc('f'), 'e', 'symlink'),
    file('var/lib/dpkg/status.d/x', 'abcdef'.split('').map(stanza).join('')),
    link(STATUS, 'var/lib/dpkg/status.d/x'),
  ]);
  const list = JSON.parse(text ?? '');
  expect(facts(list)).toEqual(facts(anew ?? {}));
  expect(list.files).toMatchObject([{ fileName: './boot/vmlinuz' }]);
  const said = list.packages.map(({ licenseDeclared }: { licenseDeclared: string }) => licenseDeclared.slice(0, 10));
  expect(said).toEqual([...Array(4).fill('LicenseRef'), 'NOASSERTIO', 'NOASSERTIO']);
});

test('what goes by gives the list that the image itself gives, whatever comes in whatever order', async () => {
  const copyright = (text: string) =>
    `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nLicense: ${text}\n about ${text}\n`;
  const names = ['a', 'b', 'c'];
  const groups: readonly (readonly [readonly string[], readonly string[]])[] = [
    [
      [STATUS, 'var/lib/dpkg/status.d/x', 'var/lib/dpkg/status.d/y'],
      ['', 'junk', stanza('a') + stanza('b'), stanza('c'), 'Package: a\n'],
    ],
    [['lib/apk/db/installed'], ['', 'P:m\nV:1\nL:MIT OR Own\no:n\n']],
    [names.map((name) => `var/lib/pacman/local/${name}/desc`), ['', '%NAME%\np\n\n%VERSION%\n2\n\n%LICENSE%\nX\n']],
    [names.map((name) => `usr/share/doc/${name}/copyright`), ['', 'all rights', copyright('MIT'), copyright('Own')]],
    [
      ['etc/os-release', 'usr/lib/os-release'],
      ['', 'ID=ubuntu\n'],
    ],
    [
      ['boot/vmlinuz', 'boot/viverrd.zst', 'boot/vmlinuz-6'],
      ['', 'kernel', 'k'.repeat(300_000)],
    ],
  ];
  const oneOf = (all: readonly string[]) => fc.constantFrom(...all);
  const step = fc.oneof(
    ...groups.map(([paths, texts]) =>
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ kind: fc.constant('file'), path: oneOf(paths), what: oneOf(texts) }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('hardlink'), path: oneOf(paths), what: oneOf(paths) }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('symlink'), path: oneOf(paths), what: oneOf(paths) }) },
      ),
    ),
    fc.record({ kind: fc.constant('symlink'), path: oneOf(['usr/share/doc/d']), what: oneOf([...names, '/etc']) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const there = new Map<string, string>();
      const entries = steps.flatMap(({ kind, path, what }) => {
        // A hard link's target comes before it, and a link is another name of what is no link.
        if (kind === 'hardlink' && (there.get(what) !== 'file' || what === path)) return [];
        there.set(path, kind === 'symlink' ? kind : 'file');
        const target = { target: Buffer.from(what) };
        return [
          kind === 'file'
            ? file(path, what === 'RPM' ? rpmBytes : what)
            : entry(path, kind as 'hardlink' | 'symlink', target),
        ];
      });
      const { text, anew, said } = await imageOf(entries);
      expect(text === undefined).toBe(anew === undefined);
      if (text === undefined) expect(said).toHaveLength(1);
      else expect(facts(JSON.parse(text))).toEqual(facts(anew ?? {}));
    }),
    { numRuns: 200 },
  );
}, 120_000);
