import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseApkInstalled } from '../../../../../src/kit/spdx/bases/apk-installed.ts';
import { parseDpkgStatus } from '../../../../../src/kit/spdx/bases/dpkg-status.ts';
import { parseBases } from '../../../../../src/kit/spdx/bases/package-bases.ts';
import { parsePacmanDesc } from '../../../../../src/kit/spdx/bases/pacman-desc.ts';

/** As deb-control(5), apk-v2(5) and pacman have it: nothing that ends a line or the record. */
const word = fc.stringMatching(/^[a-z0-9][a-z0-9+._-]{0,20}$/);
const PACKAGE = fc.record({ name: word, version: word, source: word, architecture: word });

const FORMATS = {
  dpkg: {
    path: 'var/lib/dpkg/status',
    parse: parseDpkgStatus,
    write: ({ name, version, source, architecture }: Record<string, string>) =>
      `Package: ${name}\nStatus: install ok installed\nArchitecture: ${architecture}\nSource: ${source}\nVersion: ${version}\n` +
      'Conffiles:\n /etc/x 0123\nDescription: first line\n more\n .\n Version: 9\n\n',
  },
  apk: {
    path: 'lib/apk/db/installed',
    parse: parseApkInstalled,
    write: ({ name, version, source, architecture }: Record<string, string>) =>
      `C:Q1x=\nP:${name}\nV:${version}\nA:${architecture}\nT:about it\nL:MIT\no:${source}\nF:etc\nM:0:0:1777\nR:x\na:0:0:755\n\n`,
  },
  pacman: {
    path: 'var/lib/pacman/local/x-1/desc',
    parse: parsePacmanDesc,
    write: ({ name, version, source, architecture }: Record<string, string>) =>
      `%NAME%\n${name}\n\n%VERSION%\n${version}\n\n%BASE%\n${source}\n\n%DEPENDS%\nglibc\n\n%ARCH%\n${architecture}\n\n%LICENSE%\nMIT\nZlib\n`,
  },
};

describe.each(Object.entries(FORMATS))('%s', (name, { path, parse, write }) => {
  test('what is written is read', () => {
    const several = name === 'pacman' ? fc.array(PACKAGE, { minLength: 1, maxLength: 1 }) : fc.array(PACKAGE);
    fc.assert(
      fc.property(several, (packages) => {
        const read = parse(packages.map(write).join(''));
        expect(read.packages).toMatchObject(packages);
        expect(read.unreadable).toBe(0);
      }),
    );
  });

  test('any text is read without a fault, and gives no package without a name and a version', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('Package:', 'Package: a', 'Version: 1', 'P:a', 'V:1', '%NAME%', '%VERSION%', 'a', '', ' '),
    );
    const text = fc.array(line).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), text), (any) => {
        const { packages, unreadable } = parse(any);
        for (const one of packages) expect(one.name !== '' && one.version !== '').toBe(true);
        expect(packages.length + unreadable).toBeLessThanOrEqual(any.length + 1);
      }),
    );
  });

  test('all that is in a list is in the order of names, once', () => {
    const rows = name === 'pacman' ? ['a'] : ['b', 'a', 'b', 'c'];
    const text = rows.map((each) => write({ name: each, version: '1', source: each, architecture: 'x' })).join('');
    const { packages } = parseBases([[path, text]]);
    expect(packages.map((one) => one.name)).toEqual([...new Set(rows)].sort());
  });
});

test('of dpkg a package that was removed is not listed; a record without a version is counted', () => {
  const stanza = (name: string, status: string) =>
    `Package: ${name}\nStatus: ${status}\nVersion: 1\nArchitecture: all\n`;
  const text = [stanza('b', 'install ok installed'), stanza('gone', 'deinstall ok config-files')]
    .concat(`${stanza('a', 'hold ok installed')}Source: other (2-1)\n`)
    .concat('Package: never\nStatus: unknown ok not-installed\n', 'Package: half\nStatus: install o')
    .join('\n');
  expect(parseDpkgStatus(text)).toMatchObject({
    packages: [
      { name: 'b', source: 'b', sourceVersion: '1' },
      { name: 'a', version: '1', source: 'other', sourceVersion: '2-1' },
    ],
    unreadable: 1,
  });
});

test('a list that is none, or that has no end, is refused by its path', () => {
  expect(() => parseBases([])).toThrow('no data base of dpkg, apk, pacman or rpm (rpmdb.sqlite) is in it');
  expect(() => parseBases([['var/lib/dpkg/status', '']])).toThrow('/var/lib/dpkg/status names no package');
  const many = 'P:a\nV:1\n\n'.repeat(50_001);
  expect(() => parseBases([['lib/apk/db/installed', many]])).toThrow('/lib/apk/db/installed');
  const files = Array.from(
    { length: 50_001 },
    (_, i) => [`var/lib/pacman/local/${i}/desc`, '%NAME%\na\n%VERSION%\n1'] as const,
  );
  expect(() => parseBases(files)).toThrow('more than 50000 packages');
});

test('lists of two managers in one tree are one; sums beside files of one package are none', () => {
  const { packages } = parseBases([
    ['var/lib/dpkg/status.d/base-files', 'Package: base-files\nVersion: 12\nArchitecture: amd64\n'],
    ['var/lib/dpkg/status.d/base-files.md5sums', 'Package: not\nVersion: 1\n'],
    ['usr/lib/apk/db/installed', 'P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\n'],
  ]);
  expect(packages.map(({ type, name }) => `${type} ${name}`)).toEqual(['deb base-files', 'apk musl']);
});
