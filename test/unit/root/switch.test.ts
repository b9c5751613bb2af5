import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freeModules } from '../../../src/root/switch.ts';

test('the modules are deleted with their folders; none there is no error', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'viver-modules-'));
  const modules = join(folder, 'modules');
  mkdirSync(join(modules, '6.1.0/kernel'), { recursive: true });
  writeFileSync(join(modules, '6.1.0/kernel/nbd.ko'), '12345');
  await freeModules(modules);
  expect(existsSync(modules)).toBe(false);
  await freeModules(modules);
  rmSync(folder, { recursive: true });
});
