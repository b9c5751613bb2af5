import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openOwnModules } from '../../../../src/init/drivers/own-modules.ts';

const directory = mkdtempSync(join(tmpdir(), 'viver-modules-'));
afterAll(() => rmSync(directory, { recursive: true }));
mkdirSync(join(directory, '6.1.0-1-amd64'));
writeFileSync(join(directory, '6.1.0-1-amd64/modules.dep'), 'kernel/a.ko:\n');

test('modules of the running kernel', () => {
  const { index, problem } = openOwnModules({ running: '6.1.0-1-amd64', directory, cmdline: '' });
  expect(problem).toBeUndefined();
  expect(index.lookup('a')).toEqual(['a']);
});

test('modules of another kernel: which runs and which there are, and what is built in goes on', () => {
  const { index, problem } = openOwnModules({ running: '6.12.9', directory, cmdline: '' });
  expect(problem).toMatch(/the kernel that runs is 6\.12\.9, this initrd has modules of 6\.1\.0-1-amd64:/);
  expect(index.lookup('pci:v00008086d00001237')).toEqual([]);
  expect(index.file('a')).toBeUndefined();
  expect(index.isBuiltin('a')).toBe(false);
});

test('no modules at all', () => {
  const { problem } = openOwnModules({ running: '6.12.9', directory: join(directory, 'none'), cmdline: '' });
  expect(problem).toContain('no modules at all');
});

test('a directory that depmod has not seen', () => {
  mkdirSync(join(directory, '6.13.0/kernel'), { recursive: true });
  const { problem } = openOwnModules({ running: '6.13.0', directory, cmdline: '' });
  expect(problem).toContain('depmod');
});
