import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AliasList, parseAliases, parseBuiltinAliases } from '../../../src/hardware/alias-text.ts';
import { readModuleIndex } from '../../../src/hardware/module-directory.ts';
import { kernelModules } from './kernel-tree.ts';

test('a line is an alias, a comment or a problem', () => {
  const problems: string[] = [];
  const text = '# from depmod\nalias pci:v1* one\nalias two\nalias a] three\nrubbish\nalias fs-x  four\n';
  expect(parseAliases(text, 'modules.alias', problems)).toEqual([
    { pattern: 'pci:v1*', module: 'one' },
    { pattern: 'fs_x', module: 'four' },
  ]);
  expect(problems).toEqual([
    "modules.alias:3: no alias line: 'alias two'",
    "modules.alias:4: no alias line: 'alias a] three'",
    "modules.alias:5: no alias line: 'rubbish'",
  ]);
});

test('a file cut short is used as far as it goes, and said', () => {
  const problems: string[] = [];
  expect(parseAliases('alias a one\nalias b', 'modules.alias', problems)).toEqual([{ pattern: 'a', module: 'one' }]);
  expect(problems).toEqual([
    "modules.alias:2: no alias line: 'alias b'",
    'modules.alias: does not end with a newline: cut short?',
  ]);
});

test('any text is read without an exception', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, key) => {
      new AliasList(parseAliases(text, 'x', [])).searchWild(key);
      parseBuiltinAliases(text);
    }),
  );
});

test("built-in modules' aliases come from modinfo", () => {
  const text = 'hmac.license=GPL\0hmac.alias=crypto-hmac\0hmac.alias=hmac\0x.parm=alias=none\0cut.alia';
  expect(parseBuiltinAliases(text)).toEqual([
    { pattern: 'crypto_hmac', module: 'hmac' },
    { pattern: 'hmac', module: 'hmac' },
  ]);
});

test('the text of the full kernel gives the same answers as its index', () => {
  const directory = kernelModules();
  const index = readModuleIndex(directory, { configPaths: [] });
  const aliases = parseAliases(readFileSync(join(directory, 'modules.alias'), 'latin1'), 'modules.alias', []);
  const list = new AliasList(aliases);
  const keys = aliases
    .filter((_, at) => at % 7 === 0)
    .map(({ pattern }) => pattern.replace(/\[.*?\]/g, '1').replace(/[*?]/g, '0'));
  for (const key of keys.filter((each) => each.includes(':'))) {
    expect(list.searchWild(key), key).toEqual(index.lookup(key));
  }
});
