/** The list inside an image, against what dpkg itself says of the tree that is unpacked from it. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageParts } from '../../../../src/kit/spdx/image-parts.ts';
import { LIST_PLACE } from '../../../../src/kit/spdx/places.ts';
import { SquashfsImage } from '../../../../src/squashfs/squashfs-image.ts';
import { noise, temporaryFolder } from '../../image/images.ts';
import { viver } from '../run-viver.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
const tree = folder.at('tree');
const tar = folder.at('tree.tar');

interface List {
  readonly creationInfo: { readonly created: string };
  readonly packages: readonly {
    readonly name: string;
    readonly versionInfo: string;
    readonly licenseDeclared: string;
    readonly sourceInfo: string;
  }[];
  readonly files: readonly {
    readonly fileName: string;
    readonly checksums: readonly { readonly checksumValue: string }[];
  }[];
}

/** This machine's packages as dpkg has them, their documentation, and a kernel and initrd that are noise. */
beforeAll(() => {
  mkdirSync(join(tree, 'boot'), { recursive: true });
  writeFileSync(join(tree, 'boot/vmlinuz'), noise(300_000, 1));
  writeFileSync(join(tree, 'boot/viverrd.zst'), noise(1_000_000, 2));
  const copy = `cd / && { echo var/lib/dpkg/status; ls etc/os-release usr/lib/os-release; find usr/share/doc -maxdepth 2 \\
    \\( -type l -o -name copyright \\) -print; } | cpio --quiet -pdm "$0"`;
  execFileSync('sh', ['-euc', copy, tree]);
  execFileSync('tar', ['--sort=name', '-cf', tar, '-C', tree, '.']);
}, 60_000);

const create = async (source: string, name: string, ...words: string[]): Promise<string> => {
  const path = folder.at(name);
  const { code, stderr } = await viver('image', 'create', source, '-o', path, '--level', '1', ...words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('SPDX') });
  return path;
};

function unpacked(path: string): { root: string; list: List; text: string } {
  const root = folder.at('unpacked');
  rmSync(root, { recursive: true, force: true });
  execFileSync('unsquashfs', ['-quiet', '-no-progress', '-dest', root, path], { stdio: 'pipe' });
  const text = readFileSync(join(root, LIST_PLACE), 'utf8');
  return { root, list: JSON.parse(text), text };
}

test('it names each package that dpkg knows in the image, with version and source, and each boot file with its sum', async () => {
  const { root, list } = unpacked(await create(tree, 'whole.sqfs'));
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own notation
  const format = '${db:Status-Status}\t${Package} ${Version} ${source:Package} ${source:Version}\n';
  const known = execFileSync('dpkg-query', [`--admindir=${root}/var/lib/dpkg`, '-W', '-f', format], {
    encoding: 'utf8',
  })
    .split('\n')
    .flatMap((line) => (line.startsWith('installed\t') ? [line.slice('installed\t'.length)] : []));
  expect(known.length).toBeGreaterThan(50);
  const listed = list.packages.map(
    ({ name, versionInfo, sourceInfo }) => `${name} ${versionInfo} ${sourceInfo.replace('source package: ', '')}`,
  );
  expect(listed.sort()).toEqual(known.sort());
  const sums = readdirSync(join(root, 'boot')).map((name) => [
    `./boot/${name}`,
    createHash('sha256')
      .update(readFileSync(join(root, 'boot', name)))
      .digest('hex'),
  ]);
  expect(list.files.map(({ fileName, checksums }) => [fileName, checksums[1]?.checksumValue]).sort()).toEqual(
    sums.sort(),
  );
  const withText = list.packages.filter(({ licenseDeclared }) => licenseDeclared !== 'NOASSERTION');
  const documented = execFileSync('sh', ['-c', 'for d in "$0"/usr/share/doc/*/copyright; do echo "$d"; done', root], {
    encoding: 'utf8',
  });
  const names = new Set(documented.split('\n').map((line) => line.split('/').at(-2)));
  expect(withText.map(({ name }) => name)).toEqual(
    list.packages.map(({ name }) => name).filter((name) => names.has(name)),
  );
});

test('the list does not depend on the clock, on the name of the image or on the kind of source; the image is the same bytes', async () => {
  const texts = [
    unpacked(await create(tree, 'one.sqfs')).text,
    unpacked(await create(tree, 'two.sqfs', '--level', '2')).text,
    unpacked(await create(tar, 'three.sqfs')).text,
  ];
  expect(new Set(texts).size).toBe(1);
  process.env.SOURCE_DATE_EPOCH = '1000000000';
  try {
    const images = [await create(tree, 'four.sqfs'), await create(tree, 'five.sqfs')];
    expect(readFileSync(images[0] ?? '').equals(readFileSync(images[1] ?? ''))).toBe(true);
    expect(unpacked(images[0] ?? '').list.creationInfo.created).toBe('2001-09-09T01:46:40Z');
  } finally {
    delete process.env.SOURCE_DATE_EPOCH;
  }
});

test('an image made of what an image holds has a list of its own, of the packages as they are now', async () => {
  const { root, text } = unpacked(await create(tree, 'before.sqfs'));
  const status = readFileSync(join(root, 'var/lib/dpkg/status'), 'utf8');
  const added = 'Package: zzz-new\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n';
  writeFileSync(join(root, 'var/lib/dpkg/status'), `${status}\n${added}`);
  const path = await create(root, 'after.sqfs');
  const { list } = unpacked(path);
  const names = (JSON.parse(text) as List).packages.map(({ name }) => name);
  expect(list.packages.map(({ name }) => name)).toEqual([...names, 'zzz-new']);
  using image = new SquashfsImage(path);
  expect((await imageParts(image, 'x')).document.packages).toEqual(list.packages);
});

test('--exclude leaves the list out', async () => {
  const path = await create(tree, 'without.sqfs', '--exclude', `/${LIST_PLACE}`);
  using image = new SquashfsImage(path);
  expect(image.find(Buffer.from(LIST_PLACE))).toBeUndefined();
});
