import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Device } from '../../../src/hardware/device.ts';
import { readModuleIndex } from '../../../src/hardware/module-directory.ts';
import { planModules } from '../../../src/hardware/plan.ts';
import { BOOT_CONFIG } from '../../../src/hardware/requested-modules.ts';
import { kernelModules } from './kernel-tree.ts';
import { memoryModules } from './memory-modules.ts';

function device(modalias: string, name = modalias): Device {
  return { path: `/devices/${name}`, bus: modalias.split(':')[0] ?? '', name, modaliases: [modalias] };
}

const FILES = {
  'modules.dep': [
    'kernel/drivers/ata/ahci.ko: kernel/drivers/ata/libahci.ko kernel/drivers/ata/libata.ko kernel/drivers/scsi/scsi_mod.ko',
    'kernel/drivers/ata/libahci.ko: kernel/drivers/ata/libata.ko kernel/drivers/scsi/scsi_mod.ko',
    'kernel/drivers/ata/libata.ko: kernel/drivers/scsi/scsi_mod.ko',
    'kernel/drivers/scsi/scsi_mod.ko:',
    'kernel/drivers/scsi/sd_mod.ko: kernel/drivers/scsi/scsi_mod.ko',
    'kernel/drivers/net/e1000.ko:',
    'kernel/drivers/gpu/drm/i915.ko:',
    'kernel/fs/isofs/isofs.ko:',
    'kernel/fs/nls/nls_utf8.ko:',
    'kernel/one.ko:',
    'kernel/two.ko:',
    '',
  ].join('\n'),
  'modules.alias': [
    'alias pci:v*d*sv*sd*bc01sc06i01* ahci',
    'alias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000',
    'alias pci:v*d*sv*sd*bc03sc*i* i915',
    'alias fs-iso9660 isofs',
    'alias test:* one',
    'alias test:* two',
    'alias test:* gone',
    '',
  ].join('\n'),
  'modules.builtin': 'kernel/drivers/scsi/sr_mod.ko\n',
};
const AHCI = 'pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01';
const E1000 = 'pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00';
const VGA = 'pci:v00001234d00001111sv00001AF4sd00001100bc03sc00i00';

test('a device gets every module that matches it, and what its class brings, each with a reason', () => {
  const { wants } = planModules([device(AHCI, 'ahci'), device('test:x')], memoryModules(FILES));
  expect(
    wants.map(({ what, choices }) => [what, choices.map(({ module, verdict }) => `${module} ${verdict}`)]),
  ).toEqual([
    ['SATA controller', ['ahci load', 'sd_mod load', 'sr_mod builtin']],
    ['test device', ['one load', 'two load', 'gone missing']],
  ]);
  expect(wants[0]?.choices[0]?.reason).toBe(`drives ${AHCI}`);
});

test('what a module needs comes before it, and each module once', () => {
  const { modules } = planModules([device(AHCI, 'one'), device(AHCI, 'two')], memoryModules(FILES));
  expect(modules.map(({ name }) => name)).toEqual(['scsi_mod', 'libata', 'libahci', 'ahci', 'sd_mod']);
  const ahci = modules.find(({ name }) => name === 'ahci');
  expect(ahci?.path).toBe('/lib/modules/6.1/kernel/drivers/ata/ahci.ko');
  expect(ahci?.needs).toEqual(['libahci', 'libata', 'scsi_mod']);
  expect(ahci?.wantedBy).toEqual(['/devices/one', '/devices/two']);
});

test('disks come before network cards, in whatever order the devices are', () => {
  const { modules } = planModules([device(E1000), device(AHCI)], memoryModules(FILES));
  expect(modules.at(-1)?.name).toBe('e1000');
});

test('a module by name comes first of all, also through its alias', () => {
  const { modules, wants } = planModules(
    [device(AHCI), { name: 'fs-iso9660', reason: 'the CD' }],
    memoryModules(FILES),
  );
  expect(modules[0]).toMatchObject({ name: 'isofs', reason: 'the CD', wantedBy: ['fs-iso9660'] });
  expect(wants[1]).toMatchObject({ want: 'fs-iso9660', what: 'the CD' });
});

test('what the boot does without is left to the image, unless everything is wanted', () => {
  const verdict = (options = {}) =>
    planModules([device(VGA), device(E1000)], memoryModules(FILES), options).wants.map(
      ({ choices }) => choices[0]?.verdict,
    );
  expect(verdict()).toEqual(['deferred', 'load']);
  expect(verdict({ deferNetwork: 'the image is on a disk' })).toEqual(['deferred', 'deferred']);
  expect(verdict({ everything: true })).toEqual(['load', 'load']);
});

test('softdeps come before and after, and one that goes round ends', () => {
  const files = {
    'modules.dep': 'a.ko:\nb.ko:\nc.ko: b.ko\n',
    'modules.softdep': 'softdep a pre: b none post: c\nsoftdep b pre: a\nsoftdep c pre: a\n',
  };
  const { modules } = planModules([{ name: 'a', reason: 'x' }], memoryModules(files));
  expect(modules.map(({ name, after }) => `${name} after ${after}`)).toEqual(['b after ', 'a after b', 'c after a']);
});

test('what a module may ask the kernel for is loaded beforehand where nobody would answer', () => {
  const files = {
    'modules.dep': 'a.ko:\nb.ko:\nc.ko: b.ko\n',
    'modules.weakdep': 'weakdep a c none\n',
  };
  const index = memoryModules(files, [{ name: 'modules.weakdep', text: files['modules.weakdep'] }]);
  const names = (weakdeps: boolean) =>
    planModules([{ name: 'a', reason: 'x' }], index, { weakdeps }).modules.map(
      ({ name, optional }) => `${name}${optional ? '?' : ''}`,
    );
  expect(names(true)).toEqual(['b?', 'c?', 'a']);
  expect(names(false)).toEqual(['a']);
});

test('a module comes after what it needs, also when a softdep of that led to it', () => {
  const files = {
    'modules.dep': 'a.ko: b.ko\nb.ko:\n',
    'modules.softdep': 'softdep b pre: a\n',
  };
  const { modules } = planModules([{ name: 'b', reason: 'x' }], memoryModules(files));
  expect(modules.map(({ name, needs, after }) => [name, needs, after])).toEqual([
    ['b', [], []],
    ['a', ['b'], []],
  ]);
});

test('a module is optional as long as nothing depends on it', () => {
  const files = {
    'modules.dep': 'a.ko:\nsoft.ko: lib.ko\nlib.ko:\nb.ko: lib.ko\n',
    'modules.softdep': 'softdep a pre: soft\n',
  };
  const optional = (...names: string[]) =>
    planModules(
      names.map((name) => ({ name, reason: 'x' })),
      memoryModules(files),
    )
      .modules.filter((module) => module.optional)
      .map(({ name }) => name);
  expect(optional('a')).toEqual(['lib', 'soft']);
  expect(optional('a', 'b')).toEqual(['soft']);
  expect(optional('a', 'soft')).toEqual([]);
});

test("a module's options are passed, in the order in which they were said", () => {
  const index = memoryModules(FILES, [
    { name: 'x', text: 'options one a=1\noptions one b="c d"\noptions isofs x=1\n' },
  ]);
  const { modules } = planModules([device('test:x'), { name: 'isofs', reason: 'the CD' }], index);
  expect(modules.map(({ name, parameters }) => `${name} ${parameters}`)).toEqual([
    // Only a device's own driver waits at its end for the kernel's probes.
    'isofs x=1 async_probe=1',
    'one a=1 b="c d"',
    'two ',
  ]);
});

test('at the start controllers look for their disks side by side, and the driver of disks waits for all of them', () => {
  const how = (calm: boolean) =>
    planModules([device(AHCI, 'ahci')], memoryModules(FILES), { calm })
      .modules.filter(({ class: of, name }) => of === 'storage' && !name.includes('lib'))
      .map(({ name, atOnce, settledBy, parameters }) => [name, atOnce, settledBy, parameters]);
  expect(how(true)).toEqual([
    ['scsi_mod', true, undefined, 'async_probe=1'],
    ['ahci', true, 'sd_mod', 'async_probe=1'],
    ['sd_mod', false, undefined, ''],
  ]);
  expect(how(false)).toEqual([
    ['scsi_mod', true, undefined, 'async_probe=1'],
    ['ahci', false, undefined, ''],
    ['sd_mod', false, undefined, ''],
  ]);
});

test('blacklisted modules are told, with the place', () => {
  const index = memoryModules(FILES, [{ name: 'my.conf', text: 'blacklist one\n' }]);
  const { wants, modules } = planModules([device('test:x')], index);
  expect(wants[0]?.choices[0]).toEqual({ module: 'one', verdict: 'blacklisted', reason: 'blacklisted by my.conf:1' });
  expect(modules.map(({ name }) => name)).toEqual(['two']);
});

test('a whole machine, cold: every disk gets its driver, and what the boot needs not is left', () => {
  // QEMU's q35 with AHCI, NVMe, virtio-scsi, xHCI, SD host, network card; its /sys before any module is loaded.
  const file = join(import.meta.dirname, '../../fixtures/hardware/q35-cold.json');
  const devices: Device[] = JSON.parse(readFileSync(file, 'utf8'));
  const index = readModuleIndex(kernelModules(), { configPaths: [], config: [BOOT_CONFIG] });
  const { modules } = planModules(devices, index, { deferNetwork: 'later' });
  const names = modules.map(({ name }) => name);
  const wanted = [
    'ahci',
    'nvme',
    'virtio_pci',
    'virtio_scsi',
    'xhci_pci',
    'usb_storage',
    'uas',
    'sdhci_pci',
    'mmc_block',
    'sd_mod',
    'sr_mod',
    'usbhid',
    'hid_generic',
  ];
  expect(names).toEqual(expect.arrayContaining(wanted));
  for (const left of ['e1000e', 'psmouse', 'pcspkr', 'i2c_i801', 'kvm']) expect(names).not.toContain(left);
  // Quick disks, then what turns up by itself, then what keeps the kernel waiting.
  const places = ['nvme', 'virtio_scsi', 'xhci_pci', 'sdhci_pci', 'ahci'].map((name) => names.indexOf(name));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
});

test('three hundred devices of the full kernel make one plan, each module after all it needs', () => {
  const kinds = [
    AHCI,
    E1000,
    'pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00',
    'usb:v0781p5567d0100dc00dsc00dp00ic08isc06ip50in00',
    'scsi:t-0x00',
    'acpi:PNP0303:',
  ];
  const devices = Array.from({ length: 300 }, (_, at) => device(kinds[at % kinds.length] ?? '', `d${at}`));
  const index = readModuleIndex(kernelModules(), { configPaths: [], config: [BOOT_CONFIG] });
  const { wants, modules } = planModules(devices, index);
  expect(wants).toHaveLength(300);
  const place = new Map(modules.map(({ name }, at) => [name, at]));
  for (const { name, needs } of modules) {
    for (const needed of needs)
      expect(place.get(needed), `${needed} before ${name}`).toBeLessThan(place.get(name) ?? -1);
  }
  for (const wanted of ['ahci', 'e1000', 'virtio_pci', 'virtio_blk', 'usb_storage', 'uas', 'sd_mod', 'sr_mod']) {
    expect(place.has(wanted), wanted).toBe(true);
  }
  expect(modules.find(({ name }) => name === 'usb_storage')?.parameters).toBe('delay_use=0');
});

test('file systems of the full kernel bring what they ask the kernel for', () => {
  const index = readModuleIndex(kernelModules(), { configPaths: [], config: [BOOT_CONFIG] });
  const names = (name: string) => planModules([{ name, reason: 'x' }], index).modules.map((module) => module.name);
  expect(names('vfat')).toEqual(expect.arrayContaining(['vfat', 'fat', 'nls_cp437', 'nls_ascii', 'nls_utf8']));
  expect(names('ext4')).toEqual(expect.arrayContaining(['ext4', 'jbd2', 'crc32c_generic']));
  expect(names('btrfs')).toEqual(expect.arrayContaining(['btrfs', 'libcrc32c', 'crc32c_generic', 'xxhash_generic']));
  expect(names('fs-squashfs')).toEqual(['squashfs']);
});
