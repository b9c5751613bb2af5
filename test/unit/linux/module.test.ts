import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { deleteModule, finitModule, initModule, insertModule } from '../../../src/linux/module.ts';

// Loading real modules is what every VM scenario does; a kernel without modules says ENOSYS to everything here.
const directory = mkdtempSync(join(tmpdir(), 'viver-module-'));
afterAll(() => rmSync(directory, { recursive: true }));
const garbage = join(directory, 'garbage.ko');
writeFileSync(garbage, 'no module');

test('what is no module is refused by the kernel, and the file is named', () => {
  expect(() => finitModule(garbage)).toThrow(/^finit_module .*garbage\.ko: (ENOEXEC|ENOSYS) \(/);
  expect(() => insertModule(garbage, 'a=1')).toThrow(/^finit_module .*garbage\.ko: (ENOEXEC|ENOSYS) \(/);
  expect(() => initModule(new Uint8Array(10), '', 'ten zeroes')).toThrow(
    /^init_module ten zeroes: (ENOEXEC|ENOSYS) \(/,
  );
});

test('a file that is not there is named', () => {
  expect(() => insertModule(join(directory, 'none.ko.zst'))).toThrow(/ENOENT.*none\.ko\.zst/);
});

test('a compressed module comes to the kernel as its own bytes, and a damaged one is named', () => {
  for (const [suffix, compress] of [
    ['zst', zstdCompressSync],
    ['gz', gzipSync],
  ] as const) {
    const path = join(directory, `packed.ko.${suffix}`);
    writeFileSync(path, compress('no module'));
    expect(() => insertModule(path)).toThrow(/^init_module .*packed\.ko\.(zst|gz): (ENOEXEC|ENOSYS) \(/);
    writeFileSync(path, 'not compressed');
    expect(() => insertModule(path)).toThrow(/^load .*packed\.ko\.(zst|gz): it is damaged: /);
  }
});

test('a module that is not loaded cannot be unloaded', () => {
  expect(() => deleteModule('no_such_module')).toThrow(/^delete_module no_such_module: (ENOENT|ENOSYS) \(/);
});
