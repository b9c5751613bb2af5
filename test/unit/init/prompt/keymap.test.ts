import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { BootLog } from '../../../../src/init/boot-log.ts';
import { parseCommandLine } from '../../../../src/init/command-line.ts';
import { keymapNames, loadKeymap } from '../../../../src/init/prompt/keymap.ts';

const directory = mkdtempSync(join(tmpdir(), 'viver-keymaps-'));
afterAll(() => rmSync(directory, { recursive: true }));
for (const name of ['us.bmap', 'de.bmap', 'README']) writeFileSync(join(directory, name), 'no keymap');

test('keymaps are files of a name', () => {
  expect(keymapNames(['us.bmap', 'de-neo.bmap', 'README', '.done'])).toEqual(['de-neo', 'us']);
});

test('an unknown keymap: one line that names what there is', async () => {
  const log = new BootLog(6);
  await loadKeymap('klingon', log, directory);
  expect(log.warnings).toEqual(['viver.keymap=klingon: no such keymap; there are: de us']);
});

test('no keymaps at all are no error', async () => {
  const log = new BootLog(6);
  await loadKeymap('de', log, join(directory, 'none'));
  expect(log.warnings).toEqual([expect.stringMatching(/^viver\.keymap=de: ENOENT/)]);
});

test('the word takes a name and no path', () => {
  expect(parseCommandLine('viver.keymap=de-nodeadkeys').keymap).toBe('de-nodeadkeys');
  expect(parseCommandLine('viver.keymap=../x').warnings[0]).toMatch(/wants the name of a keymap/);
});
