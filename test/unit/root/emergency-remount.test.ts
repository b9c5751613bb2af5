import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { emergencyRemount } from '../../../src/root/emergency-remount.ts';

let folder: string;
let kernelLog: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-emergency-'));
  kernelLog = join(folder, 'kmsg');
  writeFileSync(kernelLog, '6,1,1,-;sysrq: Emergency Remount R/O\n6,2,2,-;Emergency Remount complete\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('it is over when the kernel says so, some time later', async () => {
  const trigger = () => {
    setTimeout(() => appendFileSync(kernelLog, '6,3,3,-;Emergency Remount complete\n'), 30);
  };
  expect(await emergencyRemount({ kernelLog, trigger })).toBe(true);
});

test('an earlier one does not count', async () => {
  expect(await emergencyRemount({ kernelLog, trigger: () => {}, timeoutMs: 30 })).toBe(false);
});

test('a kernel without the key is an error', async () => {
  const trigger = () => {
    throw new Error('ENOENT: /proc/sysrq-trigger');
  };
  await expect(emergencyRemount({ kernelLog, trigger })).rejects.toThrow('ENOENT');
});

test('where the kernel lets nobody read its log, it is asked all the same', async () => {
  let asked = 0;
  const trigger = () => void asked++;
  expect(await emergencyRemount({ kernelLog: join(folder, 'none'), trigger, timeoutMs: 10 })).toBe(false);
  expect(asked).toBe(1);
});
