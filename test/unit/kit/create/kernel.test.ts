import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { contentOf } from '../../../../src/image/sources/rules/apply.ts';
import { familyOfTree, findKernels } from '../../../../src/kit/create/find-kernels.ts';
import { tapKernel } from '../../../../src/kit/create/kernel-tap.ts';
import type { EntryKind, TreeEntry } from '../../../../src/squashfs/entry.ts';
import { temporaryFolder } from '../../image/images.ts';
import { describeAll } from '../../image/sources/described.ts';
import { viver } from '../run-viver.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
const version = readFileSync('build/kernel/version', 'utf8').trim();
const kernelFile = `build/kernel/boot/vmlinuz-${version}`;
let count = 0;

/** A tree of files by path; a value that begins with -> is a link, KERNEL the real kernel. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = folder.at(`tree-${count++}`);
  for (const [path, text] of Object.entries(files)) {
    const file = `${root}/${path}`;
    mkdirSync(file.replace(/\/[^/]*$/, ''), { recursive: true });
    if (text === 'KERNEL') copyFileSync(kernelFile, file);
    else if (text.startsWith('->')) symlinkSync(text.slice(2), file);
    else writeFileSync(file, text);
  }
  return root;
}

const found = (root: string) =>
  findKernels(root, familyOfTree(root)).map(({ path, version, hasModules }) => [path, version, hasModules]);

describe("a tree's kernels are found where its family has them", () => {
  test('Debian: by name, with a merged /usr', () => {
    const root = tree({
      'etc/os-release': '->../usr/lib/os-release',
      'usr/lib/os-release': 'ID=debian\n',
      lib: '->usr/lib',
      'boot/vmlinuz-6.1.0-1-amd64': 'x',
      'boot/vmlinuz-6.12.0': 'x',
      'boot/vmlinuz-6.1.0-1-amd64.old': 'x',
      'boot/initrd.img-6.1.0-1-amd64': 'x',
      vmlinuz: '->boot/vmlinuz-6.1.0-1-amd64',
      'usr/lib/modules/6.1.0-1-amd64/modules.dep': '',
    });
    expect(familyOfTree(root).name).toBe('debian');
    expect(found(root)).toEqual([
      ['/boot/vmlinuz-6.1.0-1-amd64', '6.1.0-1-amd64', true],
      ['/boot/vmlinuz-6.12.0', '6.12.0', false],
    ]);
  });

  test('Fedora: beside its modules', () => {
    const root = tree({
      'etc/os-release': 'ID=fedora\n',
      'lib/modules/6.9.1-200.fc40.x86_64/vmlinuz': 'x',
      'lib/modules/6.9.1-200.fc40.x86_64/modules.dep': '',
      'boot/vmlinuz-0-rescue-abc': 'x',
    });
    expect(found(root)).toEqual([['/lib/modules/6.9.1-200.fc40.x86_64/vmlinuz', '6.9.1-200.fc40.x86_64', true]]);
  });

  test.each([
    ['Alpine', 'ID=alpine\n', 'boot/vmlinuz-lts'],
    ['Arch', 'ID=arch\n', 'boot/vmlinuz-linux'],
    ['BusyBox only', 'ID=buildroot\n', 'boot/bzImage'],
    ['a distribution nobody knows', 'ID=other\n', 'boot/vmlinuz'],
  ])('%s: its version is what the kernel says', (_name, osRelease, path) => {
    const root = tree({ 'etc/os-release': osRelease, [path]: 'KERNEL', [`lib/modules/${version}/modules.dep`]: '' });
    expect(found(root)).toEqual([[`/${path}`, version, true]]);
  });

  test('links that lead out of the tree are followed inside of it', () => {
    const root = tree({ 'etc/os-release': '->/etc/passwd', boot: '->/../../boot', 'lib/modules': '->/nowhere' });
    expect(familyOfTree(root).name).toBe('unknown');
    expect(found(root)).toEqual([]);
  });
});

describe('a stream leaves a copy of what its initrd is made of', () => {
  const entry = (path: string, kind: EntryKind, more: Partial<TreeEntry> | string): TreeEntry => ({
    path: Buffer.from(path),
    kind,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    ...(typeof more === 'string'
      ? kind === 'file'
        ? { open: () => contentOf(Buffer.from(more)) }
        : { target: Buffer.from(more) }
      : more),
  });

  test('as it lies in the tree, and the entries pass as they are', async () => {
    const into = folder.at('tap');
    const entries = [
      entry('lib', 'symlink', 'usr/lib'),
      entry('boot/vmlinuz-1', 'file', 'kernel'),
      entry('usr/lib/modules/1/a.ko', 'file', 'module'),
      entry('usr/lib/modules/1/b.ko', 'hardlink', 'usr/lib/modules/1/a.ko'),
      entry('usr/lib/firmware/x/y', 'file', 'firmware'),
      entry('usr/lib/firmware/link', 'symlink', 'x/y'),
      entry('etc/passwd', 'file', 'no'),
    ];
    const passed = await describeAll(tapKernel(entries, into));
    expect([...passed.keys()]).toHaveLength(entries.length);
    expect(passed.get('boot/vmlinuz-1')?.size).toBe(6);
    for (const [path, text] of Object.entries({
      'boot/vmlinuz-1': 'kernel',
      'lib/modules/1/a.ko': 'module',
      'lib/modules/1/b.ko': 'module',
      'lib/firmware/link': 'firmware',
    })) {
      expect(readFileSync(`${into}/${path}`, 'utf8'), path).toBe(text);
    }
    expect(existsSync(`${into}/etc`)).toBe(false);
  });

  test('no link of it leads outside', async () => {
    const into = folder.at('deep/tap');
    writeFileSync(folder.at('secret'), 'secret');
    const hostile = [
      '../../../../../secret',
      '/../../../../secret',
      'q/../../../../../../secret',
      '../../../../../../etc/passwd',
      './../../../../../secret',
    ];
    const links = hostile.map((text, i) => entry(`lib/firmware/l${i}`, 'symlink', text));
    const more = [entry('lib/firmware/q', 'symlink', '..'), entry('lib/firmware/r', 'symlink', 'q/../../../../secret')];
    await describeAll(tapKernel([...more, ...links], into));
    for (const { path } of [...links, ...more]) {
      const place = `${into}/${path}`;
      expect(
        existsSync(place) && lstatSync(place).isSymbolicLink() && readFileSync(place, 'utf8') === 'secret',
        String(path),
      ).toBe(false);
    }
  });
});

/** These trees have no packages. */
const noList = (source: string): string =>
  `viver image: ${source}: no SPDX list in the image: it has no package data base of dpkg, apk, pacman or rpm (rpmdb.sqlite)\n`;

describe('viver image create puts in kernel and initrd', () => {
  const listing = (image: string): string => execFileSync('unsquashfs', ['-lln', image], { encoding: 'utf8' });
  const sample = () =>
    tree({
      'etc/os-release': 'ID=debian\n',
      'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
      [`boot/vmlinuz-${version}`]: 'KERNEL',
      [`boot/initrd.img-${version}`]: 'old',
      [`lib/modules/${version}/modules.dep`]: '',
    });

  test.each(['directory', 'tar'])('of a %s, where others find them', async (kind) => {
    const root = sample();
    const output = folder.at(`${kind}.sqfs`);
    writeFileSync(folder.at('viverrd'), 'an initrd');
    const source = kind === 'directory' ? root : `${root}.tar`;
    if (kind === 'tar') execFileSync('tar', ['-C', root, '-cf', source, '.']);
    const { code, stderr } = await viver(
      'image',
      'create',
      source,
      '-o',
      output,
      '--level',
      '1',
      '--viverrd',
      folder.at('viverrd'),
    );
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `viver image: ${source}: family debian, kernel ${version} (the newest with modules)\n${noList(source)}`,
    });
    const rows = listing(output);
    expect(rows).toMatch(/-rw-r--r-- 0\/0 +9 .* squashfs-root\/boot\/viverrd\.zst\n/);
    expect(rows).toMatch(RegExp(`-rw-r--r-- 0/0 +${readFileSync(kernelFile).length} .* squashfs-root/boot/vmlinuz\n`));
    expect(rows).toContain('boot/initrd.img'); // nothing is left out of a plain source
  });

  test('as an installed system without what is not to be shared', async () => {
    const output = folder.at('system.sqfs');
    const result = await viver(
      'image',
      'create',
      sample(),
      '--system',
      '-o',
      output,
      '--level',
      '1',
      '--viverrd',
      folder.at('viverrd'),
      '--json',
    );
    expect(JSON.parse(result.stdout)).toMatchObject({
      family: 'debian',
      kernel: version,
      excluded: {
        'machine id: systemd wants the file there, empty': 1,
        "initrds of the installed system: VIVER's is used": 1,
      },
    });
    const rows = listing(output);
    expect(rows).not.toContain('initrd.img');
    expect(rows).toMatch(/ 0 .* squashfs-root\/etc\/machine-id\n/);
  });

  test('not again where both are', async () => {
    const root = tree({ 'boot/vmlinuz': 'mine', 'boot/viverrd.zst': 'mine too' });
    const { code, stderr } = await viver('image', 'create', root, '-o', folder.at('own.sqfs'), '--level', '1');
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `viver image: ${root}: family unknown, its own /boot/vmlinuz and /boot/viverrd.zst\n${noList(root)}`,
    });
  });

  test.each<[string, () => string[], string]>([
    ['a version that is not there', () => ['--kernel', '1.2.3'], 'has no kernel 1.2.3 (there: '],
    [
      'a file that is no kernel',
      () => ['--kernel', folder.at('viverrd')],
      'is no Linux kernel whose version can be read',
    ],
    ['a kernel file that is not there', () => ['--kernel', './nothing'], 'nothing'],
    ['an initrd that is not there', () => ['--viverrd', './nothing'], 'nothing'],
  ])('%s: one line, and no image', async (_what, words, message) => {
    const output = folder.at(`bad-${count++}.sqfs`);
    const { code, stderr } = await viver('image', 'create', sample(), '-o', output, ...words());
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(
      stderr
        .trim()
        .split('\n')
        .filter((line) => !line.includes('family')),
    ).toHaveLength(1);
    expect(existsSync(output)).toBe(false);
    expect(existsSync(output.replace('.sqfs', '.caibx'))).toBe(false);
    rmSync(output, { force: true });
  });
});
