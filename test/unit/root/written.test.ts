import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadWritten, makeDirectories, noteWritten, saveWritten, stateAt } from '../../../src/root/written.ts';
import { temporaryFolder } from '../image/images.ts';

test('the state of a path tells its kind, mode, bytes and target', () => {
  using folder = temporaryFolder();
  const path = folder.at('file');
  expect(stateAt(path)).toBe('none');
  writeFileSync(path, 'one');
  chmodSync(path, 0o640);
  const one = stateAt(path);
  expect(one).toMatch(/^file 640 [0-9a-f]{64}$/);
  chmodSync(path, 0o600);
  expect(stateAt(path)).not.toBe(one);
  writeFileSync(path, 'two');
  chmodSync(path, 0o640);
  expect(stateAt(path)).not.toBe(one);
  symlinkSync('nowhere', folder.at('link'));
  expect(stateAt(folder.at('link'))).toBe('link nowhere');
  expect(stateAt(folder.path)).toBe('directory');
  expect(stateAt('/dev/null')).toBe('other');
});

test('only directories that were not there count as made', () => {
  using folder = temporaryFolder();
  mkdirSync(folder.at('a'));
  expect(makeDirectories(folder.path, '/a/b/c').sort()).toEqual(['/a/b', '/a/b/c']);
  expect(makeDirectories(folder.path, '/a/b/c')).toEqual([]);
});

test('what was noted comes back, with what earlier boots noted', () => {
  using folder = temporaryFolder();
  const file = folder.at('cow/written.json');
  expect(loadWritten(file)).toBeUndefined();
  writeFileSync(folder.at('x'), 'x');
  const first = noteWritten(folder.path, ['/x', '/gone']);
  saveWritten(file, first);
  expect(loadWritten(file)).toEqual(first);
  writeFileSync(folder.at('x'), 'y');
  const second = noteWritten(folder.path, ['/z'], first);
  expect([...second.keys()]).toEqual(['/gone', '/x', '/z']);
  expect(second.get('/x')).toBe(first.get('/x'));
  for (const text of ['', '[]', '{"x": "none"}', '{"/x": 1}', 'null']) {
    writeFileSync(file, text);
    expect(() => loadWritten(file)).toThrow('is no list of what VIVER wrote');
  }
});
