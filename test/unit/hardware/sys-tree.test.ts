import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sysTree } from '../../../src/hardware/sys-tree.ts';

test('what is there is read, and what is not is nothing', () => {
  const directory = mkdtempSync(join(tmpdir(), 'viver-sys-'));
  mkdirSync(join(directory, 'a'));
  writeFileSync(join(directory, 'a/file'), 'text\n');
  symlinkSync('../a', join(directory, 'a/link'));
  const tree = sysTree();
  expect(tree.read(join(directory, 'a/file'))).toBe('text');
  expect(tree.read(join(directory, 'a/none'))).toBeUndefined();
  expect(tree.read(join(directory, 'a'))).toBeUndefined();
  expect(tree.list(directory)).toEqual(['a']);
  expect(tree.list(join(directory, 'none'))).toEqual([]);
  expect(tree.list(join(directory, 'a/file'))).toEqual([]);
  expect(tree.link(join(directory, 'a/link'))).toBe(join(directory, 'a'));
  expect(tree.link(join(directory, 'a/file'))).toBeUndefined();
  rmSync(directory, { recursive: true });
});
