import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { emptyReport } from '../../../../src/image/sources/report.ts';
import { openSource } from '../../../../src/image/sources/source.ts';
import { withoutWritten } from '../../../../src/kit/commit/without-written.ts';
import { noteWritten, type Written } from '../../../../src/root/written.ts';
import { SquashfsImage } from '../../../../src/squashfs/squashfs-image.ts';
import { writeSquashfs } from '../../../../src/squashfs/write-squashfs.ts';
import { temporaryFolder } from '../../image/images.ts';
import { entry, file } from '../../squashfs/trees.ts';

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
beforeEach(() => {
  folder = temporaryFolder();
  root = folder.at('root');
  mkdirSync(root);
});
afterEach(() => folder[Symbol.dispose]());

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** What an image of the root has, as `path: text`. */
async function committed(written: Written, omits: (path: string) => boolean = () => false): Promise<string[]> {
  const signal = new AbortController().signal;
  using lower = new SquashfsImage(folder.at('lower.sqfs'));
  const entries = openSource({ kind: 'directory', path: root }, { report: emptyReport(), signal });
  const output = folder.at('new.sqfs');
  await writeSquashfs(withoutWritten(entries, { root, written, lower, omits }), output, { level: 1 });
  using image = new SquashfsImage(output);
  const lines: string[] = [];
  for (const each of image.walk()) {
    const content = await each.open?.();
    const bytes = Buffer.alloc(content?.size ?? 0);
    await content?.read(bytes, 0);
    const text = each.target === undefined ? bytes.toString() : `-> ${each.target}`;
    lines.push(each.kind === 'directory' ? `${each.path}/` : `${each.path}: ${text}`);
  }
  return lines.slice(1);
}

const LOWER = [
  entry('', 'directory', { mode: 0o755 }),
  entry('etc', 'directory', { mode: 0o755 }),
  file('etc/fstab', 'of the image'),
  file('etc/hostname', 'image'),
  file('etc/hosts', 'of the image'),
  entry('etc/keys', 'directory', { mode: 0o755 }),
  file('etc/keys/one', 'key'),
  file('etc/keys/secret', 'key'),
  entry('etc/link', 'symlink', { target: Buffer.from('there'), mode: 0o777 }),
];

test('what VIVER wrote is as the image has it, what others wrote stays', async () => {
  await writeSquashfs(LOWER, folder.at('lower.sqfs'), { level: 1 });
  put('etc/fstab', 'by VIVER');
  put('etc/hostname', 'by VIVER');
  put('etc/hosts', 'of the image');
  put('etc/link', 'by VIVER');
  put('etc/viver/own', 'by VIVER');
  put('etc/shared/own', 'by VIVER');
  symlinkSync('/run/x', join(root, 'etc/resolv.conf'));
  const paths = [
    '/etc/fstab',
    '/etc/hostname',
    '/etc/link',
    '/etc/resolv.conf',
    '/etc/keys',
    '/etc/viver',
    '/etc/shared',
  ];
  const written = noteWritten(root, [...paths, '/etc/viver/own', '/etc/shared/own']);
  // Since the boot:
  put('etc/hostname', 'by a person');
  put('etc/shared/mine', 'by a person');
  put('usr/bin/new', 'installed');
  expect(await committed(written, (path) => path.endsWith('secret'))).toEqual([
    'etc/',
    'etc/fstab: of the image',
    'etc/hostname: by a person',
    'etc/hosts: of the image',
    'etc/keys/',
    'etc/keys/one: key',
    'etc/link: -> there',
    'etc/shared/',
    'etc/shared/mine: by a person',
    'usr/',
    'usr/bin/',
    'usr/bin/new: installed',
  ]);
});

test('what VIVER removed and somebody made again is theirs; of a directory that is gone nothing comes back', async () => {
  await writeSquashfs(LOWER, folder.at('lower.sqfs'), { level: 1 });
  put('etc/fstab', 'by VIVER');
  const written = noteWritten(root, ['/etc/keys/one', '/etc/fstab', '/etc/hosts']);
  put('etc/hosts', 'by a person');
  expect(await committed(written)).toEqual(['etc/', 'etc/fstab: of the image', 'etc/hosts: by a person']);
  rmSync(join(root, 'etc'), { recursive: true });
  put('other', 'x');
  expect(await committed(written)).toEqual(['other: x']);
});

test('without any note the system is taken as it is', async () => {
  await writeSquashfs(LOWER, folder.at('lower.sqfs'), { level: 1 });
  put('etc/fstab', 'by VIVER');
  expect(await committed(new Map())).toEqual(['etc/', 'etc/fstab: by VIVER']);
});
