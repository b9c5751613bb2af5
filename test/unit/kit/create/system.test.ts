import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../../image/images.ts';

interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: readonly string[];
}

const folder = temporaryFolder();
type Run = 'system' | 'home' | 'nothing' | 'noKernel' | 'user' | 'userOfAll' | 'full';
let seen: Readonly<Record<Run, Said>> & { readonly hasBtrfs: boolean; readonly left: readonly string[] };
beforeAll(async () => {
  const child = join(import.meta.dirname, '../child/create-system.ts');
  const args = ['--mount', '--', process.execPath, child, folder.path];
  seen = JSON.parse(execFileSync('unshare', args, { encoding: 'utf8', maxBuffer: 1e8 }));
}, 300_000);
afterAll(() => folder[Symbol.dispose]());

const listing = (name: string): string[] =>
  execFileSync('unsquashfs', ['-lln', folder.at(`${name}.sqfs`)], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.replace(/^(\S+ \S+) +.*squashfs-root\/?/, '$1 '))
    .filter((line) => line !== '');
const pathsOf = (name: string): string[] => listing(name).map((line) => line.split(' ')[2] ?? '');

test('of the running system its own file systems are in the image, and what is not to be shared is not', () => {
  expect(seen.system.status, seen.system.stderr.join('\n')).toBe(0);
  const paths = pathsOf('system');
  for (const there of [
    'etc/hostname',
    'boot/vmlinuz-6.1.0-test',
    'var/lib/dpkg/status',
    'srv/data',
    'var/machines/one',
  ]) {
    expect(paths).toContain(there);
  }
  for (const gone of [
    'boot/hidden',
    'home/me',
    'mnt/stick/photo',
    'mnt/again/etc',
    'mnt/code/src',
    'usr/bin',
    'run/secret',
  ]) {
    expect(paths).not.toContain(gone);
  }
  for (const gone of ['etc/ssh/ssh_host_rsa_key', 'swapfile', 'root/.bash_history', 'var/log/syslog', 'tmp/secret']) {
    expect(paths).not.toContain(gone);
  }
  expect(paths).toEqual(
    expect.arrayContaining(['home', 'var/log/nginx', 'proc', 'sys', 'run', 'tmp', 'mnt/again', 'usr']),
  );
  expect(paths.some((path) => path.startsWith('srv/system'))).toBe(false);
});

test('what a mount hides is seen as the disk has it', () => {
  expect(listing('system')).toContain('crw------- 0/0 dev/console');
});

test('what was left out is named, once each', () => {
  const report = JSON.parse(seen.system.stdout);
  const leftOut = Object.fromEntries(report.leftOut.map(({ path, why }: { path: string; why: string }) => [path, why]));
  expect(leftOut).toMatchObject({
    home: 'ext4, not part of the system; --with takes it along',
    'mnt/stick': 'ext4, not part of the system; --with takes it along',
  });
  const own = Object.keys(leftOut).filter((path) => leftOut[path] === 'the image itself');
  expect(own.some((path) => path.startsWith('srv/system.sqfs.part-'))).toBe(true);
  expect(leftOut['mnt/again']).toMatch(/bind mount/);
  if (seen.hasBtrfs) expect(leftOut['var/before']).toBe('a snapshot');
  expect(report.excluded).toMatchObject({ 'host keys: each machine makes its own': 1, swap: 1, logs: 2 });
  expect(seen.system.stderr.filter((line) => line.includes('/proc') || line.includes('sysfs'))).toEqual([]);
});

test('with --with and without the list more is in it', () => {
  expect(seen.home.status, seen.home.stderr.join('\n')).toBe(0);
  expect(pathsOf('home')).toEqual(
    expect.arrayContaining(['home/me/letter', 'var/log/syslog', 'etc/ssh/ssh_host_rsa_key', 'swapfile']),
  );
});

test('a mount that is not there, and a system without a usable kernel: one line each', () => {
  expect(seen.nothing).toMatchObject({
    status: 1,
    stderr: ['viver image: --with /opt: no file system is mounted there that could be taken along'],
  });
  expect(seen.noKernel.status).toBe(1);
  expect(seen.noKernel.stderr).toEqual([
    'viver image: / has no kernel with modules (there: 6.1.0-test without modules): others cannot boot from such an image. Install one in it, give one by --kernel FILE --viverrd FILE, or say --no-kernel',
  ]);
});

test('somebody without rights makes an image of an own tree, past what is mounted in it; of / it needs root', () => {
  expect(seen.user.status, seen.user.stderr.join('\n')).toBe(0);
  expect(pathsOf('user')).toEqual(['', 'file', 'loop', 'proc']);
  expect(seen.user.stderr).toEqual([
    'viver image: /srv/tree: no SPDX list in the image: it has no package data base of dpkg, apk, pacman or rpm (rpmdb.sqlite)',
    expect.stringMatching(/^viver image: left out: loop \(ext4, .*bind mount/),
  ]);
  expect(seen.userOfAll).toMatchObject({
    status: 1,
    stderr: [
      'viver image: an image of the running system needs root, who can read all of it: sudo viver image create /',
    ],
  });
});

test('on a full disk there is one line, and nothing is left', () => {
  expect(seen.full.status).toBe(1);
  expect(seen.full.stderr.filter((line) => !line.includes('left out'))).toEqual([
    expect.stringMatching(/space|ENOSPC/i),
  ]);
  expect(seen.left).toEqual([]);
});
