import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  cleanCowScript,
  type HookReader,
  installShutdownHooks,
  lastStepsScript,
  planShutdownHooks,
  rootHookReader,
} from '../../../src/root/shutdown-hooks.ts';

const SCRIPT = '/usr/local/lib/viver/clean-cow';

function reader(files: Readonly<Record<string, string>>): HookReader {
  const has = (path: string) => Object.keys(files).some((file) => file === path || file.startsWith(`${path}/`));
  return { has, text: (path) => files[path] };
}

const debian = reader({ '/lib/lsb/init-functions.d/20-left-info-blocks': '', '/etc/inittab': '' });

test('systemd needs nothing: it goes back to the initramfs', () => {
  expect(planShutdownHooks('systemd', debian).files).toEqual([]);
});

test('Debian’s sysvinit and runit get a file that every init script reads', () => {
  for (const system of ['sysvinit', 'runit'] as const) {
    const { files } = planShutdownHooks(system, debian);
    expect(files.map((file) => file.path)).toEqual(['/lib/lsb/init-functions.d/99-viver']);
  }
});

test('runit gets its own place too where it has one', () => {
  const { files } = planShutdownHooks('runit', reader({ '/etc/runit/shutdown.d/80-filesystems.sh': '' }));
  expect(files.map((file) => file.path)).toEqual(['/etc/runit/shutdown.d/85-viver.sh']);
});

test('what the init needs at its end is read before the daemon below the root is killed', () => {
  const script = lastStepsScript({ cowMountpoint: undefined, daemon: true });
  expect(execFileSync('sh', ['-c', script.replaceAll('/proc/1/', '/proc/self/')], { encoding: 'utf8' })).toBe('');
  expect(script).toContain('/proc/1/maps');
  expect(lastStepsScript({ cowMountpoint: '/cow', daemon: true })).toMatch(/^#!\/bin\/sh\n.*maps.*remount,ro \/cow/s);
  expect(lastStepsScript({ cowMountpoint: '/cow', daemon: false })).toBe(cleanCowScript(['/cow']));
});

test('Void’s runit and OpenRC’s killprocs do not kill the daemon below the root', () => {
  const paths = (system: 'runit' | 'openrc', files: Readonly<Record<string, string>>) =>
    planShutdownHooks(system, reader(files), true).files.map((file) => file.path);
  const tree = { '/etc/runit/shutdown.d/70-pkill.sh': '', '/etc/init.d/killprocs': '' };
  expect(paths('runit', tree)).toContain('/etc/runit/shutdown.d/65-viver.sh');
  expect(paths('openrc', tree)).toContain('/etc/conf.d/killprocs');
  expect(planShutdownHooks('runit', reader(tree)).files.map((file) => file.path)).not.toContain(
    '/etc/runit/shutdown.d/65-viver.sh',
  );
});

test('OpenRC gets a service in its last run levels', () => {
  const { files } = planShutdownHooks('openrc', reader({ '/etc/runlevels/shutdown/mount-ro': '' }));
  expect(files.map((file) => file.path)).toEqual(['/etc/init.d/viver-cow', '/etc/runlevels/shutdown/viver-cow']);
  const gentoo = planShutdownHooks('openrc', reader({ '/etc/runlevels/reboot/x': '' })).files;
  expect(gentoo.map((file) => file.path)).toContain('/etc/runlevels/reboot/viver-cow');
});

const inittabOf = (before: string | undefined) => {
  const [file] = planShutdownHooks('busybox', reader(before === undefined ? {} : { '/etc/inittab': before })).files;
  return file !== undefined && 'text' in file.content ? file.content.text : '';
};

test('BusyBox’ init gets a line before the one that unmounts everything', () => {
  const before =
    '::sysinit:/etc/init.d/rcS\n# ::shutdown:umount\n::shutdown:/etc/init.d/rcK\n::shutdown:/bin/umount -a -r\n';
  expect(inittabOf(before)).toBe(
    '::sysinit:/etc/init.d/rcS\n# ::shutdown:umount\n::shutdown:/etc/init.d/rcK\n' +
      `::shutdown:${SCRIPT}\n::shutdown:/bin/umount -a -r\n`,
  );
});

test('BusyBox’ inittab is not changed twice, gets a last line where nothing unmounts, and its defaults where it is absent', () => {
  expect(inittabOf(inittabOf('::shutdown:umount -a\n'))).toBe(inittabOf('::shutdown:umount -a\n'));
  expect(inittabOf('::respawn:sh')).toBe(`::respawn:sh\n::shutdown:${SCRIPT}\n`);
  expect(inittabOf(undefined)).toMatch(
    new RegExp(`::shutdown:swapoff -a\n::shutdown:${SCRIPT}\n::shutdown:umount -a -r\n`),
  );
});

test('an init of unknown kind, and a known one without its usual places, say what to do instead', () => {
  for (const system of ['unknown', 'sysvinit', 'runit'] as const) {
    const plan = planShutdownHooks(system, reader({}));
    expect(plan.files).toEqual([]);
    expect(plan.note).toContain("'viver shutdown'");
  }
});

test('the files are written, executable where they are run, and again without harm', () => {
  const root = mkdtempSync(join(tmpdir(), 'viver-hooks-'));
  mkdirSync(join(root, 'etc/runlevels/shutdown'), { recursive: true });
  mkdirSync(join(root, 'lib/lsb/init-functions.d'), { recursive: true });
  for (let boot = 1; boot <= 2; boot++) {
    installShutdownHooks(planShutdownHooks('openrc', rootHookReader(root)), root, {
      cowMountpoint: '/run/viver/cow',
      daemon: false,
    });
    expect(readFileSync(join(root, SCRIPT), 'utf8')).toContain('mount -o remount,ro /run/viver/cow');
    expect(statSync(join(root, SCRIPT)).mode & 0o777).toBe(0o755);
    expect(statSync(join(root, 'etc/init.d/viver-cow')).mode & 0o777).toBe(0o755);
    expect(statSync(join(root, 'lib/lsb/init-functions.d/99-viver')).mode & 0o777).toBe(0o644);
    expect(readlinkSync(join(root, 'etc/runlevels/shutdown/viver-cow'))).toBe('/etc/init.d/viver-cow');
  }
  rmSync(root, { recursive: true });
});

test('Debian’s hook runs for the last script of a shutdown and for no other', () => {
  const folder = mkdtempSync(join(tmpdir(), 'viver-lsb-'));
  const [file] = planShutdownHooks('sysvinit', debian).files;
  const text = file !== undefined && 'text' in file.content ? file.content.text : '';
  writeFileSync(join(folder, 'hook'), text.replaceAll(SCRIPT, join(folder, 'clean')));
  writeFileSync(join(folder, 'clean'), '#!/bin/sh\necho cleaned\n', { mode: 0o755 });
  const run = (name: string, ...args: string[]) => {
    writeFileSync(join(folder, name), `#!/bin/sh -u\n. ${folder}/hook\n`, { mode: 0o755 });
    return execFileSync(join(folder, name), args, { encoding: 'utf8' }).trim();
  };
  expect(run('halt', 'stop')).toBe('cleaned');
  expect(run('K08reboot', 'stop')).toBe('cleaned');
  expect(run('halt', 'start')).toBe('');
  expect(run('umountroot', 'stop')).toBe('');
  expect(run('halt')).toBe('');
  rmSync(folder, { recursive: true });
});

test('the script is sound for the shell', () => {
  execFileSync('sh', ['-n'], { input: cleanCowScript(['/run/viver/cow', '/run/viver/media/sda1']) });
  execFileSync('busybox', ['sh', '-n'], { input: cleanCowScript(['/run/viver/cow', '/run/viver/media/sda1']) });
});
