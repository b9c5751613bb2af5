import fc from 'fast-check';
import { expect, test } from 'vitest';
import { licenceExpression } from '../../../../src/kit/spdx/licence-expression.ts';

const ref = (name: string) => `LicenseRef-<${name}>`;

test.each([
  ['MIT', 'MIT'],
  ['GPL-2.0-or-later AND (mit OR Apache-2.0)', 'GPL-2.0-or-later AND (MIT OR Apache-2.0)'],
  ['GPL-3.0-or-later WITH GCC-exception-3.1', 'GPL-3.0-or-later WITH GCC-exception-3.1'],
  ['GPL-2.0-only  AND\tOwn', 'GPL-2.0-only AND LicenseRef-<Own>'],
  // What older lists have, and what is no expression.
  ['GPL BSD', 'LicenseRef-<GPL BSD>'],
  ['GPLv2+ and MIT', 'LicenseRef-<GPLv2+ and MIT>'],
  ['custom:zlib', 'LicenseRef-<custom:zlib>'],
  ['(MIT', 'LicenseRef-<(MIT>'],
  ['MIT)', 'LicenseRef-<MIT)>'],
  ['MIT AND', 'LicenseRef-<MIT AND>'],
  ['(MIT OR ISC) WITH LLVM-exception', 'LicenseRef-<(MIT OR ISC) WITH LLVM-exception>'],
  ['MIT WITH own-exception', 'LicenseRef-<MIT WITH own-exception>'],
])('%s is %s', (said, expected) => {
  expect(licenceExpression(said, ref)).toBe(expected);
});

test('whatever is said, brackets are even and every operator stands between two', () => {
  const word = fc.constantFrom('MIT', 'Own', 'AND', 'OR', 'WITH', '(', ')', 'LLVM-exception', '()', 'a(b');
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), (words) => {
      const names = licenceExpression(words.join(' '), () => 'LicenseRef-x');
      let reduced = names.replaceAll(/(?<![\w-])(?:LicenseRef-x|MIT|LLVM-exception)(?![\w-])/g, 'N');
      for (let before = ''; before !== reduced; ) {
        before = reduced;
        reduced = reduced.replace(/N (?:AND|OR|WITH) N|\(N\)/, 'N');
      }
      expect(reduced).toBe('N');
    }),
  );
});
