import { expect, test } from 'vitest';
import { findInit, hasUdev } from '../../../src/root/find-init.ts';
import { resolveBelow } from '../../../src/root/resolve-below.ts';
import type { RootReader } from '../../../src/root/root-reader.ts';
import { elf } from './elf.ts';

/** A root below /new: path → `x` an executable, `f` a file, `d` a directory, anything else a link's target. */
function rootOf(tree: Readonly<Record<string, string>>): RootReader {
  const at = (path: string) => tree[path.replace(/^\/new/, '')];
  return {
    link(path) {
      const value = at(path);
      return value === undefined || ['x', 'f', 'd'].includes(value) ? undefined : value;
    },
    kind: (path) => (({ x: 'executable', f: 'file', d: 'directory' }) as const)[at(path) ?? ''],
    bytes: (_path, offset, length) => elf({}).subarray(offset, offset + length),
  };
}

test.each([
  ['systemd', { '/sbin': 'usr/sbin', '/usr/sbin/init': '../lib/systemd/systemd', '/usr/lib/systemd/systemd': 'x' }],
  ['systemd', { '/sbin/init': '/lib/systemd/systemd', '/lib': 'usr/lib', '/usr/lib/systemd/systemd': 'x' }],
  ['systemd', { '/usr/lib/systemd/systemd': 'x' }],
  ['sysvinit', { '/sbin/init': 'x', '/etc/inittab': 'f', '/etc/rc0.d': 'd' }],
  ['openrc', { '/sbin/init': 'x', '/etc/inittab': 'f', '/sbin/openrc': 'x', '/etc/runlevels': 'd' }],
  [
    'openrc',
    {
      '/sbin/init': '/bin/busybox',
      '/bin/busybox': 'x',
      '/etc/inittab': 'f',
      '/sbin/openrc': 'x',
      '/etc/runlevels': 'd',
    },
  ],
  ['openrc', { '/sbin/init': 'openrc-init', '/sbin/openrc-init': 'x' }],
  ['runit', { '/sbin/init': '/lib/runit/runit-init', '/lib/runit/runit-init': 'x' }],
  ['runit', { '/sbin/init': 'runit-init', '/sbin/runit-init': 'x' }],
  ['busybox', { '/sbin/init': '../bin/busybox', '/bin/busybox': 'x', '/etc/inittab': 'f' }],
  ['unknown', { '/sbin/init': 'x' }],
  ['unknown', { '/sbin/init': '/opt/my-init', '/opt/my-init': 'x' }],
] as const)('%s is told in %j', (system, tree) => {
  expect(findInit('/new', undefined, rootOf(tree))).toMatchObject({ system });
});

test('the first executable place is taken', () => {
  expect(findInit('/new', undefined, rootOf({ '/sbin/init': 'f', '/bin/init': 'x' })).path).toBe('/bin/init');
});

test('init= is tried alone', () => {
  const reader = rootOf({ '/sbin/init': 'x', '/bin/sh': 'x' });
  expect(findInit('/new', '/bin/sh', reader)).toEqual({ path: '/bin/sh', system: 'unknown' });
  expect(() => findInit('/new', '/bin/absent', reader)).toThrow('no executable /bin/absent in the image (init=)');
});

test('an image without an init says where it was looked for', () => {
  expect(() => findInit('/new', undefined, rootOf({ '/sbin/init': '/gone' }))).toThrow(
    /^no init in the image: looked at \/sbin\/init, /,
  );
});

test('links are followed inside the root, never out of it', () => {
  const reader = rootOf({ '/a': '../../../b', '/b': 'x', '/c': '/b', '/d': './e/../b', '/e': 'd' });
  expect(resolveBelow('/new', '/a', reader)).toBe('/b');
  expect(resolveBelow('/new', '/c', reader)).toBe('/b');
  expect(resolveBelow('/new', '/d', reader)).toBe('/b');
});

test('links in a circle lead nowhere', () => {
  expect(resolveBelow('/new', '/a', rootOf({ '/a': 'b', '/b': 'a' }))).toBeUndefined();
});

test.each([
  [true, { '/lib': 'usr/lib', '/usr/lib/systemd/systemd-udevd': '../../bin/udevadm', '/usr/bin/udevadm': 'x' }],
  [true, { '/sbin/udevd': 'x' }],
  [false, { '/sbin/mdev': 'x' }],
] as const)('udev is there: %s, in %j', (there, tree) => {
  expect(hasUdev('/new', rootOf(tree))).toBe(there);
});
