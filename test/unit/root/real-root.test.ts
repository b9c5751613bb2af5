import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Real squashfs, overlayfs and ext4 in a mount namespace of their own. Needs root. */

const program = join(import.meta.dirname, 'in-namespace.ts');
let folder: string;

const INIT = `#!/bin/sh
echo "pid $$ args $* home $HOME"
echo "root $(ls / | tr '\\n' ' ')"
echo "kept $([ -d /run/initramfs/proc ] && echo yes)"
echo "proc $([ -r /proc/self/mountinfo ] && echo yes)"
echo "streams $(ls /proc/self/fd | tr '\\n' ' ')"
exit 0
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-real-root-'));
  const tree = join(folder, 'tree');
  for (const name of ['bin', 'sbin', 'etc', 'usr/share/doc', 'proc']) mkdirSync(join(tree, name), { recursive: true });
  copyFileSync('/bin/busybox', join(tree, 'bin/busybox'));
  for (const applet of ['sh', 'ls', 'mount', 'sync', 'dmesg', 'grep', 'sleep', 'tr']) {
    symlinkSync('busybox', join(tree, 'bin', applet));
  }
  writeFileSync(join(tree, 'etc/issue'), 'image');
  writeFileSync(join(tree, 'etc/inittab'), '::shutdown:umount -a -r\n');
  writeFileSync(join(tree, 'sbin/init'), INIT);
  chmodSync(join(tree, 'sbin/init'), 0o755);
  const make = (name: string) => execFileSync('mksquashfs', [tree, join(folder, name), '-quiet', '-no-progress']);
  make('first');
  writeFileSync(join(tree, 'etc/issue'), 'rebuilt');
  make('second');
});
afterAll(() => rmSync(folder, { recursive: true }));

function disk(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, 32 * 2 ** 20);
  execFileSync('mkfs.ext4', ['-q', path]);
  return path;
}

/** Runs a play of in-namespace.ts. */
function run(...args: string[]) {
  const command = ['--mount', '--propagation', 'private', process.execPath, program];
  const [play = '', ...rest] = args;
  const { stdout, stderr, status } = spawnSync('unshare', [...command, play, folder, ...rest], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

function fsck(path: string): string {
  const { stdout, status } = spawnSync('e2fsck', ['-f', '-n', path], { encoding: 'utf8' });
  const features = execFileSync('dumpe2fs', ['-h', path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return `${status} ${/clean/.test(/Filesystem state:.*/.exec(features)?.[0] ?? '') && !/needs_recovery/.test(features)} ${status === 0 ? '' : stdout}`.trim();
}

test('the union shows the image, takes writes in RAM, renames a directory of the image, and leaves the image as it is', () => {
  const seen = run('ram', 'first');
  expect(seen).toMatchObject({
    root: ['bin', 'etc', 'proc', 'sbin', 'usr'],
    moved: ['doc'],
    lower: 'image',
    issue: 'changed',
    init: { path: '/sbin/init', system: 'sysvinit' },
  });
  expect(seen.options).toContain('redirect_dir=on');
});

test('writes on a disk are kept over boots and left clean; a rebuilt image begins anew and the old writes stay', () => {
  const path = disk('kept.disk');
  expect(run('disk', 'first', 'kept.disk')).toMatchObject({ before: '', said: [], ended: 'poweroff', left: [] });
  expect(fsck(path)).toBe('0 true');
  const second = run('disk', 'first', 'kept.disk');
  expect(second).toMatchObject({ before: '+', said: [], left: [] });
  expect(second.note).toMatch(/continues with what was written before$/);
  const rebuilt = run('disk', 'second', 'kept.disk');
  expect(rebuilt.before).toBe('');
  expect(rebuilt.note).toMatch(/begins anew; kept for other images: debian-first0000000$/);
  expect(run('disk', 'first', 'kept.disk').before).toBe('++');
  expect(fsck(path)).toBe('0 true');
});

test('an image on the very disk that takes the writes is no reason to leave that unclean', () => {
  const path = disk('same.disk');
  expect(run('same', 'first', 'same.disk')).toMatchObject({ said: [], ended: 'poweroff', left: [] });
  expect(fsck(path)).toBe('0 true');
});

test('the last step of other init systems leaves the disk clean while the root is still on it', () => {
  disk('hook.disk');
  expect(run('hook', 'first', 'hook.disk')).toMatchObject({
    trigger: existsSync('/proc/sysrq-trigger') ? 'u\n' : '',
    readOnly: expect.arrayContaining(['/root', '/root/cow']),
  });
  expect(fsck(join(folder, 'left.disk'))).toBe('0 true');
});

test('the image’s init becomes PID 1 of the new root, with the kernel’s file systems and the initramfs at hand', () => {
  const command = ['--mount', '--pid', '--fork', '--mount-proc', '--propagation', 'private', process.execPath, program];
  const { stdout, stderr } = spawnSync('unshare', [...command, 'switch', folder, 'first'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual([
    'pid 1 args quiet home /',
    'root bin dev etc proc run sbin sys usr ',
    'kept yes',
    'proc yes',
    'streams 0 1 2 3',
  ]);
});

test('loop devices are given back', () => {
  expect(execFileSync('losetup', ['--all'], { encoding: 'utf8' })).not.toContain(folder);
});
