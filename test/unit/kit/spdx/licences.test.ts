import { expect, test } from 'vitest';
import { copyrightLicences, licenceRef, licenceText, spdxLicence } from '../../../../src/kit/spdx/licences.ts';

test.each([
  ['GPL-2+', 'GPL-2.0-or-later'],
  ['GPL-3', 'GPL-3.0-only'],
  ['LGPL-2.1+', 'LGPL-2.1-or-later'],
  ['Expat', 'MIT'],
  ['BSD-3-clause', 'BSD-3-Clause'],
  ['public-domain', undefined],
  ['GPL-2+ with a word', undefined],
  ['constructor', undefined],
])('Debian’s %s is SPDX’s %s', (name, expected) => {
  expect(spdxLicence(name)).toBe(expected);
});

test('every licence of a machine-readable copyright file, and none of another', () => {
  const text = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
Copyright: someone
License: GPL-2+ and BSD-3-clause

Files: a
License: Expat or PD
 the text
License: GPL-2+
`;
  expect(copyrightLicences(text)).toEqual(['BSD-3-clause', 'Expat', 'GPL-2+', 'PD']);
  expect(copyrightLicences('This package was debianized by\nLicense: GPL\n')).toEqual([]);
});

test('what SPDX has no name for gets one of its own', () => {
  expect(licenceRef('GPL-2+ with OpenSSL exception')).toBe('LicenseRef-GPL-2-with-OpenSSL-exception');
});

test('of a licence its own paragraph is given, and the whole file where there is none', () => {
  const text = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: PD and Own~1
Comment: none

License: Own~1
 Do what
 .
  you like.

License: GPL-2+
 See elsewhere.
`;
  expect(licenceText(text, licenceRef('Own~1'))).toBe('Do what\n\n you like.');
  expect(licenceText(text, licenceRef('PD'))).toBe(text);
  expect(licenceText('All rights are yours.\n', licenceRef('hello-copyright'))).toBe('All rights are yours.\n');
});

test('a line of nothing but room between two words is read at once, and a dot that begins a word stays', () => {
  const text = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
License: a${' '.repeat(200_000)}b\n .NET is\n .\n free\n`;
  const startMs = performance.now();
  expect(copyrightLicences(text)).toEqual(['a b']);
  expect(licenceText(text, licenceRef('a b'))).toBe('.NET is\n\nfree');
  expect(performance.now() - startMs).toBeLessThan(2000);
});
