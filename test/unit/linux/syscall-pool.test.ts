import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SyscallError } from '../../../src/linux/errno.ts';
import { SyscallPool } from '../../../src/linux/syscall-pool.ts';
import { isolated } from './isolated.ts';

const directory = mkdtempSync(join(tmpdir(), 'viver-pool-'));
afterAll(() => rmSync(directory, { recursive: true }));

test('calls run in threads, and each has its own result', async () => {
  using pool = new SyscallPool();
  const results = await Promise.allSettled([
    pool.umount('/no/such/mount'),
    pool.mount({ source: 'x', target: directory, type: 'nosuchfs' }),
    pool.load(join(directory, 'none.ko')),
  ]);
  const errors = results.map((result) => (result.status === 'rejected' ? result.reason : undefined));
  expect(errors[0]).toBeInstanceOf(SyscallError);
  expect(errors[0]).toMatchObject({ op: 'umount', target: '/no/such/mount', code: 'ENOENT' });
  expect(errors[1]).toMatchObject({ message: `mount x on ${directory}: ENODEV (No such device)` });
  expect(errors[2]).toMatchObject({ code: 'ENOENT' });
});

test('what a thread mounts, the process sees', async () => {
  expect(await isolated('linux/syscall-pool', ['--mount'])).toEqual({ mounted: ['tmpfs'], after: [] });
});

test('a call that hangs does not hold up the others', async () => {
  using pool = new SyscallPool({ threads: 1, patienceMs: 20 });
  await expect(pool.umount('/no/such/mount')).rejects.toThrow('ENOENT');
  const fifo = join(directory, 'hangs.ko');
  execFileSync('mkfifo', [fifo]);
  const hanging = pool.load(fifo).catch((error: Error) => error.message);
  await expect(pool.umount('/no/such/mount')).rejects.toThrow('ENOENT');
  writeFileSync(fifo, '');
  expect(await hanging).toContain(`finit_module ${fifo}`);
});

test('a mount is next, before modules that came earlier', async () => {
  // Of two threads (a busy machine's first one seems to hang) the later call may end first.
  using pool = new SyscallPool({ maxThreads: 1 });
  const order: string[] = [];
  await Promise.allSettled([
    pool.load(join(directory, 'first.ko')).finally(() => order.push('first')),
    pool.load(join(directory, 'second.ko')).finally(() => order.push('second')),
    pool.mount({ source: 'x', target: directory, type: 'nosuchfs' }).finally(() => order.push('mount')),
  ]);
  expect(order).toEqual(['mount', 'first', 'second']);
});

test('a closed pool says so', async () => {
  const pool = new SyscallPool({ threads: 1 });
  const waiting = pool.umount('/no/such/mount');
  pool.close();
  await expect(waiting).rejects.toThrow('closed');
  await expect(pool.load('x.ko')).rejects.toThrow('closed');
});

test('a thread that dies takes its own call along; where none lives, calls are made without one', async () => {
  using pool = new SyscallPool({ entry: 'linux/no-such-worker' });
  const calls = Array.from({ length: 12 }, () => pool.umount('/no/such/mount').catch((error: Error) => error.message));
  const results = await Promise.all(calls);
  expect(results.filter((text) => text === 'a system call thread died').length).toBeLessThan(12);
  expect(results.at(-1)).toBe('umount /no/such/mount: ENOENT (No such file or directory)');
  await expect(pool.umount('/no/such/mount')).rejects.toThrow('ENOENT');
});
