import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { chooseKernel, versionIn } from '../../../../src/image/sources/families/choose-kernel.ts';
import { FAMILIES, familyOf, osReleaseIds } from '../../../../src/image/sources/families/family.ts';
import { kernelImageVersion } from '../../../../src/image/sources/families/kernel-image.ts';

const nothing = (): boolean => false;

test.each([
  ['ID=debian\nVERSION_ID="13"\n', 'debian'],
  ['NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', 'ubuntu'],
  ['ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'ubuntu'],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'fedora'],
  ['ID=mydistro\nID_LIKE="arch"\n', 'arch'],
  ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', 'suse'],
  ["ID='alpine'\n", 'alpine'],
  ['ID=void\n', 'void'],
  ['ID=somethingelse\n', 'unknown'],
])('os-release %j is of the family %s', (text, name) => expect(familyOf(text, nothing).name).toBe(name));

test('a tree without os-release is known by a file of its own', () => {
  expect(familyOf(undefined, (path) => path === 'bin/busybox').name).toBe('busybox');
  expect(familyOf(undefined, (path) => path === 'etc/debian_version' || path === 'bin/busybox').name).toBe('debian');
  expect(familyOf(undefined, nothing).name).toBe('unknown');
  expect(osReleaseIds('')).toEqual([]);
});

test('each family says where its kernels lie, and no two take the same name', () => {
  const ids = FAMILIES.flatMap((family) => family.ids);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { name, kernels } of FAMILIES) expect(kernels.length, name).toBeGreaterThan(0);
});

test('a version is read from a path or from the kernel', () => {
  expect(versionIn('/boot/vmlinuz-VERSION', '/boot/vmlinuz-6.1.0-56-amd64')).toBe('6.1.0-56-amd64');
  expect(versionIn('/lib/modules/VERSION/vmlinuz', '/lib/modules/6.9.1-200.fc40.x86_64/vmlinuz')).toBe(
    '6.9.1-200.fc40.x86_64',
  );
  expect(versionIn('/boot/vmlinuz-*', '/boot/vmlinuz-lts')).toBe('');
  expect(versionIn('/boot/vmlinuz-VERSION', '/boot/config-6.1')).toBeUndefined();
  const version = readFileSync('build/kernel/version', 'utf8').trim();
  expect(kernelImageVersion(readFileSync(`build/kernel/boot/vmlinuz-${version}`))).toBe(version);
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(600), Buffer.alloc(70_000, 0xff)]) {
    expect(kernelImageVersion(bytes)).toBeUndefined();
  }
});

const kernel = (version: string, hasModules = true) => ({ path: `/boot/vmlinuz-${version}`, version, hasModules });

test('the newest kernel with modules is chosen, or the one asked for', () => {
  const kernels = [kernel('6.1.0-9-amd64'), kernel('6.1.0-10-amd64'), kernel('6.12.1', false), kernel('5.10.0')];
  expect(chooseKernel(kernels, 'x').version).toBe('6.1.0-10-amd64');
  expect(chooseKernel(kernels, 'x', '5.10.0').version).toBe('5.10.0');
  expect(() => chooseKernel(kernels, 'x', '6.12.1')).toThrow(
    'x has no modules of the kernel 6.12.1 (there: 6.12.1 without modules, 6.1.0-10',
  );
  expect(() => chooseKernel(kernels, 'x', '7')).toThrow('x has no kernel 7 (there: ');
});

test('a tree without a kernel is refused, with what to do', () => {
  expect(() => chooseKernel([], '/srv/tree')).toThrow(
    '/srv/tree has no kernel with modules (there: none): others cannot boot from such an image. Install one in it, give one by --kernel FILE --viverrd FILE, or say --no-kernel',
  );
});
