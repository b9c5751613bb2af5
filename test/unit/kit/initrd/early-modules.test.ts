import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chooseModules } from '../../../../src/kit/initrd/choose-modules.ts';
import { earlyModules } from '../../../../src/kit/initrd/early-modules.ts';
import { listRows } from '../../../../src/kit/initrd/list-rows.ts';
import { kernelModules } from '../../hardware/kernel-tree.ts';
import { memoryModules } from '../../hardware/memory-modules.ts';

const DIRECTORY = '/lib/modules/6.1';

test('each row gives what it names and what that needs, in loading order, with VIVER’s parameters', () => {
  const index = memoryModules({ 'modules.dep': 'a/bus.ko:\na/disk.ko: a/bus.ko\nb/usb-storage.ko: a/bus.ko\n' }, [
    { name: 'test', text: 'options usb_storage delay_use=0\n' },
  ]);
  const list = '# why\npci:*bc01* disk   # a reason\n* usb_storage none\n';
  expect(earlyModules(list, index, DIRECTORY).split('\n')).toEqual([
    'pci:*bc01* a/bus.ko async_probe=1',
    'pci:*bc01* a/disk.ko async_probe=1',
    '* a/bus.ko async_probe=1',
    '* b/usb-storage.ko delay_use=0 async_probe=1',
    '',
  ]);
});

test('what is compressed, and what needs it, is left to /init', () => {
  const index = memoryModules({ 'modules.dep': 'a/bus.ko.zst:\na/disk.ko: a/bus.ko.zst\na/other.ko:\n' });
  expect(earlyModules('* disk other\n', index, DIRECTORY)).toBe('* a/other.ko async_probe=1\n');
});

test('what the list of this project names is not compressed in the initrd, and the end of all probes stays a sign for /init', () => {
  const lists = join(import.meta.dirname, '../../../../initrd');
  const names = listRows(readFileSync(join(lists, 'early.list'), 'utf8')).flatMap((row) => row.split(/\s+/).slice(1));
  expect(names).not.toContain('sd_mod');
  const plain = chooseModules(kernelModules(), join(lists, 'uncompressed.list')).map((path) =>
    path.replace(/^.*\/|\.ko.*$/g, '').replaceAll('-', '_'),
  );
  expect(plain).toEqual(expect.arrayContaining(names));
});
