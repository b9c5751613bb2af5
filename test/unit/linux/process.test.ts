import { readlinkSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { chroot, exec } from '../../../src/linux/process.ts';
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
