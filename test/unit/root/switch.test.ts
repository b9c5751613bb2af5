import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freeModules } from '../../../src/root/switch.ts';

test('module files are deleted but those that are kept and what is no module', () => {
  const folder = mkdtempSync(join(tmpdir(), 'viver-modules-'));
  const files = ['a/nbd.ko', 'a/snd-hda.ko.xz', 'b/e1000.ko.zst', 'b/igb.ko.gz', 'modules.dep'];
  for (const file of files) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), '12345');
  }
  expect(freeModules(folder, new Set(['nbd', 'snd_hda']))).toMatchObject({ files: 2 });
  expect(files.filter((file) => existsSync(join(folder, file)))).toEqual([
    'a/nbd.ko',
    'a/snd-hda.ko.xz',
    'modules.dep',
  ]);
  expect(freeModules(join(folder, 'absent'))).toEqual({ files: 0, bytes: 0 });
  rmSync(folder, { recursive: true });
});
