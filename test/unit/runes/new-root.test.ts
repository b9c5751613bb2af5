import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { InitSystem } from '../../../src/root/find-init.ts';
import { openNewRoot } from '../../../src/runes/new-root.ts';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'new-root-'));
});
afterEach(() => rmSync(work, { recursive: true }));

function put(path: string, text: string) {
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), text);
}

const machine = {
  hostname: 'm',
  macs: [],
  addresses: [],
  booted: 'medium',
  bootMac: undefined,
  commandLine: '',
  image: undefined,
} as const;

function newRoot(init: InitSystem = 'systemd') {
  return openNewRoot(join(work, 'root'), { machine, role: 'r', init, image: join(work, 'image'), note: () => {} });
}

test('what another init must not see is refused: /run/systemd/system is how programs know systemd', () => {
  for (const init of ['sysvinit', 'openrc', 'runit', 'busybox', 'unknown'] as const) {
    const root = newRoot(init);
    expect(() => root.write('/run/systemd/system/x.service', '')).toThrow(/believe in systemd/);
    expect(() => root.link('/run/systemd/system/x.service', '/dev/null')).toThrow(init);
  }
  expect(existsSync('/run/systemd/system/x.service')).toBe(false);
});

test('a file is of the image until somebody changes it, on whatever disk the change is kept', () => {
  put('image/etc/fstab', 'a');
  put('image/etc/hosts', 'a');
  put('root/etc/fstab', 'a');
  put('root/etc/hosts', 'b');
  put('root/etc/own', 'b');
  const root = newRoot();
  const known = ['fstab', 'hosts', 'own', 'none'].map((name) => root.isOfImage(`/etc/${name}`));
  expect(known).toEqual([true, false, false, false]);
  root.write('/etc/fstab', 'b');
  expect(root.isOfImage('/etc/fstab')).toBe(false);
});

test('links among the directories stay inside of the root', () => {
  put('root/usr/lib/x', '1');
  symlinkSync('usr/lib', join(work, 'root/lib'));
  symlinkSync('/usr/lib', join(work, 'root/absolute'));
  symlinkSync('../../../../usr/lib', join(work, 'root/upwards'));
  const root = newRoot();
  for (const path of ['/lib', '/absolute', '/upwards']) {
    expect(root.read(`${path}/x`)).toBe('1');
    expect(root.names(path)).toEqual(['x']);
    root.write(`${path}/y/z`, path);
    expect(readFileSync(join(work, 'root/usr/lib/y/z'), 'utf8')).toBe(path);
    root.remove(`${path}/y`);
  }
  expect(root.names('/usr/lib')).toEqual(['x']);
  expect(root.names('/usr/lib/x')).toEqual([]);
  expect(root.names('/nowhere')).toEqual([]);
});

test('a dangling link for a directory is an error, not a directory elsewhere', () => {
  put('root/etc/x', '');
  symlinkSync(join(work, 'elsewhere'), join(work, 'root/service'));
  expect(() => newRoot().write('/service/a/run', '')).toThrow();
  expect(existsSync(join(work, 'elsewhere'))).toBe(false);
});

test('a link that comes or goes leads elsewhere at once', () => {
  put('root/usr/lib/x', '1');
  put('root/opt/x', '2');
  const root = newRoot();
  expect(root.read('/lib/x')).toBeUndefined();
  root.link('/lib', 'usr/lib');
  expect(root.read('/lib/x')).toBe('1');
  root.link('/lib', '/opt');
  expect(root.read('/lib/x')).toBe('2');
  root.write('/lib/new/y', '3');
  expect(root.read('/opt/new/y')).toBe('3');
  root.remove('/opt');
  root.link('/opt', 'usr/lib');
  expect(root.read('/lib/x')).toBe('1');
  root.remove('/lib');
  expect(root.has('/lib/x')).toBe(false);
});
