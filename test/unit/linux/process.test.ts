import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { SyscallError } from '../../../src/linux/errno.ts';
import { libc } from '../../../src/linux/libc.ts';
import { chroot, closeOnExec, exec } from '../../../src/linux/process.ts';
import { isolated } from './isolated.ts';

let found: Record<string, unknown>;
beforeAll(async () => {
  found = (await isolated('linux/exec', ['--mount'])) as Record<string, unknown>;
});

test('the program after exec has every signal at its default and none blocked', () => {
  // Signals 32 and 33 are glibc's own: its posix_spawn leaves them ignored in what it starts (make starts this test so),
  // and its sigaction refuses them. The kernel starts PID 1 without.
  const masks = String(found.signals).split(' ');
  const glibcs = 0x1_8000_0000n;
  expect(masks.map((mask) => BigInt(`0x${mask}`) & ~glibcs)).toEqual([0n, 0n, 0n]);
});

test('it has no descriptor but its standard streams, and those block', () => {
  // 3 is the directory that the shell reads for the list.
  expect(found.descriptors).toBe('0 1 2 3');
  const flags = String(found.flags).split(' ');
  expect(flags).toHaveLength(3);
  for (const value of flags) expect(Number.parseInt(value, 8) & 0o4000).toBe(0);
});

test('it has the limits and the umask that the kernel starts with', () => {
  expect(found).toMatchObject({ openFiles: '1024', umask: '0022' });
});

test('it has exactly the arguments and the environment given', () => {
  expect(found).toMatchObject({ argv0: '@viver-field', argv: 'zero 1', environment: 'HOME=/ TERM=linux ' });
});

test('a program that is not there is an error, and the process goes on as it was', () => {
  expect(found.failed).toEqual({
    message: 'exec /no/such/init: ENOENT (No such file or directory)',
    sameSignals: true,
  });
});

test('chroot and the host name change what this process sees', async () => {
  const seen = (await isolated('linux/process', ['--mount', '--uts'])) as Record<string, unknown>;
  expect(seen).toMatchObject({ hostname: 'viver-7', rootEntries: ['inside'] });
  expect(readlinkSync('/proc/self/root')).toBe('/');
});

test('a failed chroot names its directory', () => {
  expect(() => chroot('/no/such/root')).toThrow('chroot /no/such/root: ENOENT (No such file or directory)');
});

test('a string with NUL is refused, not cut', () => {
  expect(() => exec('/bin/true', ['a\0b'], {})).toThrow('has a NUL');
});

test.each(['ENOSYS', 'EINVAL'])(
  'where close_range says %s, descriptors are kept from the next program one by one',
  (code) => {
    const errno = { ENOSYS: 38, EINVAL: 22 }[code] ?? 0;
    const fd = openSync('/dev/null', 'r');
    const F_SETFD = 2;
    const O_CLOEXEC = 0o2000000;
    const closes = () =>
      (Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8) &
        O_CLOEXEC) !==
      0;
    libc().fcntl(fd, F_SETFD, 0n);
    expect(closes()).toBe(false);
    closeOnExec(fd, () => {
      throw new SyscallError('close_range', 'descriptors', errno);
    });
    expect(closes()).toBe(true);
    closeSync(fd);
  },
);
