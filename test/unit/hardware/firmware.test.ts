import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  chosenModules,
  describeLack,
  firmwareBelow,
  lackingFirmware,
  parseFirmwareTable,
  undrivenForFirmware,
} from '../../../src/hardware/firmware.ts';
import { planModules } from '../../../src/hardware/plan.ts';
import { memoryModules } from './memory-modules.ts';

const folder = mkdtempSync(join(tmpdir(), 'viver-firmware-'));
afterAll(() => rmSync(folder, { recursive: true }));

const INDEX = memoryModules({
  'modules.dep': 'kernel/drivers/net/bnx2.ko:\nkernel/drivers/scsi/aic94xx.ko:\n',
  'modules.alias': 'alias pci:net* bnx2\nalias pci:scsi* aic94xx\n',
});
const device = (modalias: string, name: string) => ({
  path: `/devices/pci0000:00/${name}`,
  bus: 'pci',
  name,
  modaliases: [modalias],
});
const CARD = 'pci:netv00sv00sd00bc02sc00i00';
const named = (module: string) => parseFirmwareTable('bnx2: a.fw b.fw c.fw d.fw\naic94xx: seq.fw\n').get(module) ?? [];

test('what a chosen driver names and nobody has is told, with the devices', () => {
  const { wants } = planModules([device(CARD, '0000:00:03.0'), device(CARD, '0000:00:04.0')], INDEX);
  const chosen = chosenModules(wants, ['load']);
  expect(lackingFirmware(chosen, named, (file) => file === 'b.fw')).toEqual([
    {
      module: 'bnx2',
      wantedBy: ['/devices/pci0000:00/0000:00:03.0', '/devices/pci0000:00/0000:00:04.0'],
      named: 4,
      missing: ['a.fw', 'c.fw', 'd.fw'],
    },
  ]);
  expect(lackingFirmware(chosen, named, () => true)).toEqual([]);
});

test('the line names a few files only', () => {
  const lack = { module: 'm', wantedBy: [], named: 4, missing: ['a', 'b', 'c', 'd'] };
  expect(describeLack(lack)).toBe('m: none of its 4 firmware files is here: a, b, c …');
  expect(describeLack({ ...lack, missing: ['a'] })).toBe('m: 1 of its 4 firmware files are not here: a');
  expect(describeLack({ ...lack, named: 1, missing: ['a'] })).toBe('m: its firmware is not here: a');
});

test('only a device that the boot may need, and that stands still, is told on the console', () => {
  const { wants } = planModules([device(CARD, '0000:00:03.0'), device('pci:scsi', '0000:00:05.0')], INDEX);
  const lacks = lackingFirmware(chosenModules(wants, ['load']), named, () => false);
  const lines = (driven: boolean) => undrivenForFirmware(wants, lacks, () => driven);
  expect(lines(true)).toEqual([]);
  expect(lines(false)[0]).toMatch(/^0000:00:03\.0 \(.*\) is not driven: bnx2: none of its 4 firmware files is here/);
});

test('firmware is found where the kernel looks, also compressed and for one kernel only', () => {
  for (const file of ['a.fw', 'sub/b.fw.xz', 'updates/6.1/c.fw.zst']) {
    mkdirSync(join(folder, 'lib/firmware', file, '..'), { recursive: true });
    writeFileSync(join(folder, 'lib/firmware', file), '');
  }
  const has = firmwareBelow((path) => join(folder, path), '6.1');
  expect(['a.fw', 'sub/b.fw', 'c.fw', 'd.fw', 'any*.bin'].map(has)).toEqual([true, true, true, false, true]);
  expect(firmwareBelow((path) => join(folder, path), '6.2')('c.fw')).toBe(false);
});
