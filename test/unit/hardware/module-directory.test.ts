import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readConfigFiles, readModuleIndex } from '../../../src/hardware/module-directory.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'viver-modules-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, '..'), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
}

test('a directory that is not there, or a dangling link, is said', () => {
  expect(() => readModuleIndex(join(directory, 'none'))).toThrow(/none: no such directory/);
  symlinkSync('nowhere', join(directory, 'link'));
  expect(() => readModuleIndex(join(directory, 'link'))).toThrow(/link: no such directory \(a dangling link\?\)/);
});

test('a directory without depmod is told from one that is none', () => {
  expect(() => readModuleIndex(directory)).toThrow(/not a \/lib\/modules\/VERSION directory/);
  write({ 'kernel/fs/ext4/ext4.ko': '' });
  expect(() => readModuleIndex(directory)).toThrow(/no modules.dep beside kernel\/: run depmod first/);
});

test('a link to a directory is followed', () => {
  write({ 'real/modules.dep': 'kernel/ext4.ko:\n' });
  symlinkSync('real', join(directory, 'link'));
  expect(readModuleIndex(join(directory, 'link'), { configPaths: [] }).lookup('ext4')).toEqual(['ext4']);
});

test('maps alone are enough', () => {
  write({ 'modules.pcimap': '3c59x 0x10b7 0xffffffff 0xffffffff 0xffffffff 0 0 0x0\n' });
  const index = readModuleIndex(directory, { configPaths: [] });
  expect(index.lookup('pci:v000010B7d00005900sv00000000sd00000000bc02sc00i00')).toEqual(['3c59x']);
});

test('a damaged index says what to do', () => {
  write({ 'modules.dep': 'kernel/ext4.ko:\n', 'modules.dep.bin': 'rubbish' });
  expect(() => readModuleIndex(directory, { configPaths: [] }).lookup('ext4')).toThrow(
    /modules\.dep\.bin is no depmod index: run depmod/,
  );
});

test('configuration is read by name, the earlier directory first; other files are not', () => {
  write({
    'modules.softdep': 'softdep x pre: y\n',
    'etc/b.conf': 'blacklist b\n',
    'etc/z.txt': 'blacklist no\n',
    'etc/.hidden.conf': 'blacklist no\n',
    'lib/a.conf': 'blacklist a\n',
    'lib/b.conf': 'blacklist masked\n',
    'one.conf': 'blacklist one\n',
  });
  const paths = ['etc', 'lib', 'absent', 'one.conf'].map((name) => join(directory, name));
  expect(readConfigFiles(directory, paths).map(({ text }) => text)).toEqual([
    'blacklist a\n',
    'blacklist b\n',
    'softdep x pre: y\n',
    'blacklist one\n',
  ]);
});

test('the command line comes after the files, and given configuration before them', () => {
  write({ 'modules.dep': '', 'etc/a.conf': 'options m a=2\n' });
  const index = readModuleIndex(directory, {
    configPaths: [join(directory, 'etc')],
    cmdline: 'm.a=3',
    config: [{ name: 'first', text: 'options m a=1\n' }],
  });
  expect(index.config.options.get('m')).toEqual(['a=1', 'a=2', 'a=3']);
});
