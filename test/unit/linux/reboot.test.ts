import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { syncAll, sysrq } from '../../../src/linux/reboot.ts';
import { isolated } from './isolated.ts';

const inPidNamespace = (verb: string) => isolated('linux/reboot', ['--pid', '--fork'], [verb]);

// pid_namespaces(7): reboot there ends its first process by SIGHUP for restart and by SIGINT for halt and power-off.
test('restart, halt and power-off reach the kernel as what they are', async () => {
  await expect(inPidNamespace('restart')).rejects.toMatchObject({ signal: 'SIGHUP' });
  await expect(inPidNamespace('halt')).rejects.toMatchObject({ signal: 'SIGINT' });
  await expect(inPidNamespace('poweroff')).rejects.toMatchObject({ signal: 'SIGINT' });
});

test('kexec without a kernel is an error', async () => {
  expect(await inPidNamespace('kexec')).toBe('reboot kexec: EINVAL (Invalid argument)');
});

test('everything is written', () => {
  expect(syncAll()).toBeUndefined();
});

test('an emergency action is one key', () => {
  const directory = mkdtempSync(join(tmpdir(), 'viver-sysrq-'));
  const trigger = join(directory, 'trigger');
  sysrq('sync', trigger);
  expect(readFileSync(trigger, 'utf8')).toBe('s');
  sysrq('remountReadOnly', trigger);
  expect(readFileSync(trigger, 'utf8')).toBe('u');
  rmSync(directory, { recursive: true });
});
