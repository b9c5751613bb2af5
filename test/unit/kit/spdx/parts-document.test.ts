import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { InstalledPackage } from '../../../../src/kit/spdx/bases/installed-package.ts';
import { distributionOf } from '../../../../src/kit/spdx/distribution.ts';
import { documentPieces, type PartsSource, partsDocument } from '../../../../src/kit/spdx/parts-document.ts';

interface Read {
  readonly documentNamespace: string;
  readonly packages: readonly {
    readonly name: string;
    readonly SPDXID: string;
    readonly licenseDeclared: string;
    readonly externalRefs: readonly { readonly referenceLocator: string }[];
  }[];
  readonly files: readonly { readonly SPDXID: string }[];
  readonly relationships: readonly { readonly relatedSpdxElement: string }[];
  readonly hasExtractedLicensingInfos: readonly { readonly licenseId: string; readonly extractedText: string }[];
}

const deb = (name: string, more: Partial<InstalledPackage> = {}): InstalledPackage => ({
  type: 'deb',
  name,
  version: '1',
  architecture: 'amd64',
  source: name,
  sourceVersion: '1',
  maintainer: undefined,
  licences: undefined,
  ...more,
});

async function read(
  packages: readonly InstalledPackage[],
  copyrights: Readonly<Record<string, string>> = {},
  more: Partial<PartsSource> = {},
): Promise<Read> {
  const copyright = async (name: string) => (Object.hasOwn(copyrights, name) ? copyrights[name] : undefined);
  const source = { packages, distribution: undefined, copyright, files: [], ...more };
  return (await partsDocument(source, { name: 'x', seconds: 1 })) as unknown as Read;
}

test('packages and files whose names differ only in letters that SPDX does not take have ids of their own', async () => {
  const names = ['a_b', 'a+b', 'a-b', 'a~b'];
  const files = names.map((path) => ({ path, sha1: '', sha256: '' }));
  const {
    packages,
    files: rows,
    relationships,
  } = await read(
    names.map((name) => deb(name)),
    {},
    { files },
  );
  const ids = [...packages, ...rows].map(({ SPDXID }) => SPDXID);
  expect(new Set(ids).size).toBe(8);
  for (const id of ids) expect(id).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/);
  expect(relationships.map(({ relatedSpdxElement }) => relatedSpdxElement)).toEqual(ids);
});

test('two versions, two architectures and two managers of one name are different packages', async () => {
  const all = [deb('k'), deb('k', { version: '2' }), deb('k', { architecture: 'i386' }), deb('k', { type: 'apk' })];
  const { packages } = await read(all);
  expect(new Set(packages.map(({ SPDXID }) => SPDXID)).size).toBe(4);
});

test('licences of one name with different texts are different licences, those with the same are one', async () => {
  const file = (text: string, name = 'PD') =>
    `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nLicense: ${name}\n ${text}\n`;
  const { packages, hasExtractedLicensingInfos } = await read(
    ['a', 'b', 'c', 'd'].map((name) => deb(name)),
    { a: file('first'), b: file('second'), c: file(' first '), d: file('third', 'P-D+') + file('fourth', 'P-D-') },
  );
  const [a, b, c, d] = packages.map(({ licenseDeclared }) => licenseDeclared);
  const texts = new Map(hasExtractedLicensingInfos.map((each) => [each.licenseId, each.extractedText]));
  expect(texts.get(a ?? '')).toBe('first');
  expect(texts.get(b ?? '')).toBe('second');
  expect(c).toBe(a);
  expect((d ?? '').split(' AND ').map((id) => texts.get(id))).toEqual(['third', 'fourth']);
});

test('what a list itself says of licences counts, all of it', async () => {
  const { packages, hasExtractedLicensingInfos } = await read([
    deb('a', { type: 'alpm', licences: ['MIT OR ISC', 'custom: a_b', 'custom: a+b'] }),
    deb('b', { type: 'apk', licences: [] }),
  ]);
  const [a, b] = packages;
  const refs = hasExtractedLicensingInfos.map(({ licenseId }) => licenseId);
  expect(new Set(refs).size).toBe(2);
  expect(a?.licenseDeclared).toBe(`(MIT OR ISC) AND ${refs.join(' AND ')}`);
  expect(hasExtractedLicensingInfos.map(({ extractedText }) => extractedText.split(': ').at(-1))).toEqual([
    'a_b',
    'a+b',
  ]);
  expect(b?.licenseDeclared).toBe('NOASSERTION');
});

test('package URLs name the distribution that os-release names, or the usual one', async () => {
  const urls = async (osRelease: string) => {
    const distribution = distributionOf(osRelease);
    const { packages } = await read([deb('g++', { version: '1:2' }), deb('m', { type: 'apk' })], {}, { distribution });
    return packages.map(({ externalRefs }) => externalRefs[0]?.referenceLocator);
  };
  expect(await urls('NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="24.04"\n')).toEqual([
    'pkg:deb/ubuntu/g%2B%2B@1%3A2?arch=amd64',
    'pkg:apk/ubuntu/m@1?arch=amd64',
  ]);
  expect(await urls('ID="a b/../c"\n')).toEqual([
    'pkg:deb/debian/g%2B%2B@1%3A2?arch=amd64',
    'pkg:apk/alpine/m@1?arch=amd64',
  ]);
});

test('in pieces it is what JSON.stringify writes, for any names', async () => {
  const names = fc.array(fc.string({ unit: 'binary', minLength: 1 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(names, async (all) => {
      const document = await read(all.map((name) => deb(name, { maintainer: name, source: name })));
      const pieces = [...documentPieces(document as never)].join('');
      expect(pieces).toBe(`${JSON.stringify(document, undefined, 1)}\n`);
    }),
  );
});
