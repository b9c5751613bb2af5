import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeSquashfs } from '../../../../src/squashfs/write-squashfs.ts';
import { temporaryFolder } from '../../image/images.ts';
import { entry, file } from '../../squashfs/trees.ts';
import { viver } from '../run-viver.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
const made = folder.at('this-machine.sqfs');

interface Row {
  readonly name: string;
  readonly SPDXID: string;
  readonly versionInfo: string;
  readonly licenseDeclared: string;
  readonly sourceInfo: string;
}
let spdx: {
  readonly packages: readonly Row[];
  readonly files: readonly {
    readonly fileName: string;
    readonly checksums: readonly { readonly checksumValue: string }[];
  }[];
  readonly hasExtractedLicensingInfos: readonly { readonly licenseId: string; readonly extractedText: string }[];
};

/** What dpkg itself says of this machine: `name version source sourceVersion`. */
const installed = (): string[] =>
  execFileSync(
    'dpkg-query',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own notation
    ['-W', '-f', '${db:Status-Status}\t${Package} ${Version} ${source:Package} ${source:Version}\n'],
    {
      encoding: 'utf8',
    },
  )
    .split('\n')
    .filter((line) => line.startsWith('installed\t'))
    .map((line) => line.slice('installed\t'.length))
    .sort();

beforeAll(async () => {
  const status = readFileSync('/var/lib/dpkg/status');
  const names = [...new Set(installed().map((line) => line.split(' ')[0] ?? ''))];
  const copyrights = names
    .map((name) => `usr/share/doc/${name}/copyright`)
    .filter((path) => existsSync(`/${path}`))
    .map((path) => file(path, readFileSync(`/${path}`)));
  const tree = [
    entry('', 'directory', { mode: 0o755 }),
    file('var/lib/dpkg/status', status),
    file('boot/vmlinuz', 'a kernel'),
    ...copyrights,
  ];
  await writeSquashfs(tree, made, { level: 1, epoch: 1_600_000_000 });
  const { code, stdout, stderr } = await viver('image', 'spdx', made);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  spdx = JSON.parse(stdout);
});

test('it names exactly the packages that dpkg knows, with version and source', () => {
  const listed = spdx.packages.map(
    ({ name, versionInfo, sourceInfo }) => `${name} ${versionInfo} ${sourceInfo.replace('source package: ', '')}`,
  );
  expect(listed.sort()).toEqual(installed());
  expect(new Set(spdx.packages.map(({ SPDXID }) => SPDXID)).size).toBe(spdx.packages.length);
});

test('licences are those of the copyright files; texts that SPDX does not know are there', () => {
  const of = (name: string) => spdx.packages.find((row) => row.name === name)?.licenseDeclared ?? '';
  expect(of('dpkg')).toContain('GPL-2.0-or-later');
  const texts = new Map(spdx.hasExtractedLicensingInfos.map((each) => [each.licenseId, each.extractedText]));
  for (const { name, licenseDeclared } of spdx.packages) {
    for (const licence of licenseDeclared.split(' AND ')) {
      if (licence.startsWith('LicenseRef-'))
        expect(texts.get(licence)?.length, `${name}: ${licence}`).toBeGreaterThan(0);
    }
  }
});

test('the kernel is there with its sum', () => {
  const sum = createHash('sha256').update('a kernel').digest('hex');
  expect(spdx.files).toMatchObject([{ fileName: './boot/vmlinuz', checksums: [{}, { checksumValue: sum }] }]);
});

test('an image without a list of packages is told so', async () => {
  const other = folder.at('other.sqfs');
  await writeSquashfs([entry('', 'directory', { mode: 0o755 })], other, { level: 1 });
  expect(await viver('image', 'spdx', other)).toMatchObject({
    code: 1,
    stderr: `viver image: ${other}: no data base of dpkg, apk, pacman or rpm (rpmdb.sqlite) is in it\n`,
  });
});
