/** The SPDX list inside the image of a whole Debian, against what dpkg and the copyright files of that Debian say. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUILD, CHECKOUT, vmDirectory } from '../vm/harness/products.ts';

const run = promisify(execFile);
const MINUTES_MS = 600_000;

interface List {
  readonly packages: readonly {
    readonly name: string;
    readonly versionInfo: string;
    readonly licenseDeclared: string;
    readonly sourceInfo: string;
  }[];
  readonly hasExtractedLicensingInfos: readonly { readonly licenseId: string; readonly extractedText: string }[];
}

let folder = '';
let root = '';
let list: List;
beforeAll(async () => {
  folder = await mkdtemp(join(vmDirectory('disks'), 'list-'));
  const viver = join(CHECKOUT, 'test/unit/kit/child/viver.ts');
  const image = join(folder, 'debian.sqfs');
  const words = ['image', 'create', join(BUILD, 'debian.tar'), '-o', image, '--level', '1', '--no-kernel'];
  await run(process.execPath, [viver, ...words]);
  root = join(folder, 'root');
  const places = ['usr/share/viver', 'var/lib/dpkg', 'usr/share/doc', 'usr/bin'];
  await run('unsquashfs', ['-quiet', '-no-progress', '-no-xattrs', '-dest', root, image, ...places]);
  list = JSON.parse(await readFile(join(root, 'usr/share/viver/image.spdx.json'), 'utf8'));
}, MINUTES_MS);
afterAll(() => rm(folder, { recursive: true, force: true }));

const dpkgQuery = async (...words: string[]): Promise<string[]> => {
  const admin = `--admindir=${join(root, 'var/lib/dpkg')}`;
  const { stdout } = await run('dpkg-query', [admin, ...words], { maxBuffer: 1 << 24 });
  return stdout.split('\n').filter((line) => line !== '');
};

test('every package that dpkg knows there is listed with its version and source, and no other', async () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own notation
  const format = '${Package} ${Version} source package: ${source:Package} ${source:Version}\n';
  const known = await dpkgQuery('-W', '-f', format);
  expect(known.length).toBeGreaterThan(100);
  const listed = list.packages.map(({ name, versionInfo, sourceInfo }) => `${name} ${versionInfo} ${sourceInfo}`);
  expect(listed.sort()).toEqual(known.sort());
});

test('every program in /usr/bin that a package owns is of a package that is listed', async () => {
  const names = new Set(list.packages.map(({ name }) => name));
  const programs = (await readdir(join(root, 'usr/bin'))).flatMap((name) => [`/usr/bin/${name}`, `/bin/${name}`]);
  const owners = await dpkgQuery('-S', ...programs).catch((error: { stdout: string }) => error.stdout.split('\n'));
  const owned = owners.flatMap((line) => /^([^:, ]+)(?::\w+)?: /.exec(line)?.[1] ?? []);
  expect(owned.length).toBeGreaterThan(100);
  expect(owned.filter((name) => !names.has(name))).toEqual([]);
});

test('every package whose copyright file can be opened there has licences, and every own licence its text', async () => {
  const texts = new Map(list.hasExtractedLicensingInfos.map((each) => [each.licenseId, each.extractedText]));
  for (const { name, licenseDeclared } of list.packages) {
    const copyright = await readFile(join(root, 'usr/share/doc', name, 'copyright'), 'utf8').catch(() => undefined);
    expect(licenseDeclared === 'NOASSERTION', name).toBe(copyright === undefined);
    const own = licenseDeclared.split(' AND ').filter((licence) => licence.startsWith('LicenseRef-'));
    for (const licence of own) expect(texts.get(licence)?.trim().length, `${name}: ${licence}`).toBeGreaterThan(0);
  }
});
