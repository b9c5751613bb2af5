import { expect, test } from 'vitest';
import { pendingDriver, pendingHardware } from '../../../src/hardware/pending.ts';
import { sysTree } from '../../../src/hardware/sys-tree.ts';
import { deviceFiles, type MemoryDevice, memoryTree } from './memory-tree.ts';

function pending(devices: readonly MemoryDevice[], files: Readonly<Record<string, string>> = {}, ageMs = 0): string[] {
  const found = pendingHardware(memoryTree({ ...deviceFiles(devices), ...files }), () => ageMs);
  return found.map(({ text, medium }) => (medium === undefined ? text : `${text} [${medium}]`));
}

const PCI = 'pci0000:00/0000:00:04.0';
const hub = { bus: 'usb', path: `${PCI}/usb1`, driver: 'usb', files: { bDeviceClass: '09', bConfigurationValue: '1' } };
const stick = {
  bus: 'usb',
  path: `${PCI}/usb1/1-2`,
  driver: 'usb',
  files: { bDeviceClass: '00', bConfigurationValue: '1' },
};
const storage = { bus: 'usb', path: `${PCI}/usb1/1-2/1-2:1.0`, files: { bInterfaceClass: '08' } };
const driven = { ...storage, driver: 'usb-storage' };
const scanned = { ...driven, files: { bInterfaceClass: '08', 'host0/target0:0:0/uevent': '' } };
const disk = { bus: 'scsi', path: `${PCI}/host0/target0:0:0/0:0:0:0`, files: { type: '0' } };
const SD = { '/sys/bus/scsi/drivers/sd/uevent': '' };

test('nothing is pending on a machine without devices, and on this one nothing throws', () => {
  expect(pending([])).toEqual([]);
  expect(Array.isArray(pendingHardware(sysTree(), () => 0))).toBe(true);
});

test('a USB stick is followed from its hub to its disk', () => {
  expect(pending([hub])).toEqual(['usb1: hub just came up, its ports are being looked at [usb]']);
  expect(pending([hub], {}, 1_000)).toEqual([]);
  expect(pending([{ ...stick, files: { bDeviceClass: '00', bConfigurationValue: '' } }])).toEqual([
    'usb 1-2: is being configured [usb]',
  ]);
  expect(pending([stick, storage])).toEqual(['usb 1-2:1.0: storage, its driver is to come [usb]']);
  expect(pending([stick, driven])).toEqual(['usb 1-2:1.0: enumerated, usb-storage is looking at it [usb]']);
  expect(pending([stick, scanned])).toEqual([]);
});

test('the delay of usb-storage is told', () => {
  const delay = (seconds: string) => ({ '/sys/module/usb_storage/parameters/delay_use': seconds });
  expect(pending([driven], delay('1'))).toEqual(['usb 1-2:1.0: enumerated, usb-storage waits 1 s [usb]']);
  expect(pending([driven], delay('0'))).toEqual(['usb 1-2:1.0: enumerated, usb-storage is looking at it [usb]']);
});

test('a SCSI disk or CD drive counts until it is a block device', () => {
  expect(pending([disk], {})).toEqual(['scsi 0:0:0:0: disk, its driver is to come']);
  expect(pending([{ ...disk, driver: 'sd' }], SD)).toEqual(['scsi 0:0:0:0: disk, being read']);
  const cd = { ...disk, driver: 'sr', files: { type: '5' } };
  expect(pending([cd], { '/sys/bus/scsi/drivers/sr/uevent': '' })).toEqual([
    'scsi 0:0:0:0: CD drive, being asked [cd]',
  ]);
  expect(pending([{ ...disk, driver: 'sd', files: { type: '0', 'block/sda/uevent': '' } }], SD)).toEqual([]);
});

test('a disk that never answers counts for half a minute only, one without driver for two seconds', () => {
  expect(pending([{ ...disk, driver: 'sd' }], SD, 29_000)).toHaveLength(1);
  expect(pending([{ ...disk, driver: 'sd' }], SD, 30_000)).toEqual([]);
  expect(pending([disk], {}, 2_000)).toEqual([]);
});

test('an enclosure or a scanner is no disk', () => {
  expect(pending([{ ...disk, files: { type: '13' } }], SD)).toEqual([]);
});

test('an ATA drive counts from its identification to its SCSI device', () => {
  const port = `/sys/devices/${PCI}/ata1`;
  const ata = (kind: string) => ({
    [`${port}/link1/dev1.0/ata_device/dev1.0/class`]: kind,
    '/sys/class/ata_device/dev1.0': `-> ../../devices/${PCI}/ata1/link1/dev1.0/ata_device/dev1.0`,
    [`${port}/host0/uevent`]: '',
  });
  expect(pending([], ata('ata'))).toEqual(['ata dev1.0: drive found, not looked at yet [sata]']);
  expect(pending([], ata('none'))).toEqual([]);
  expect(pending([], { ...ata('atapi'), [`${port}/host0/target0:0:0/uevent`]: '' })).toEqual([]);
});

test('an SD slot is looked at, then its card is read', () => {
  const slot = { '/sys/class/mmc_host/mmc0/uevent': '' };
  expect(pending([], slot)).toEqual(['mmc0: slot is being looked at [mmc]']);
  expect(pending([], slot, 1_500)).toEqual([]);
  const card = { bus: 'mmc', path: 'mmc0:aaaa', driver: 'mmcblk', files: { type: 'SD' } };
  expect(pending([card])).toEqual(['mmc0:aaaa: card, being read [mmc]']);
  expect(pending([{ ...card, files: { type: 'SDIO' } }])).toEqual([]);
  expect(pending([{ ...card, files: { type: 'SD', 'block/mmcblk0/uevent': '' } }])).toEqual([]);
});

test('an NVMe controller counts until it is live and has shown its disks', () => {
  const nvme = (state: string, more = {}) => ({ '/sys/class/nvme/nvme0/state': state, ...more });
  expect(pending([], nvme('connecting'))).toEqual(['nvme0: controller is connecting [nvme]']);
  expect(pending([], nvme('live'))).toEqual(['nvme0: controller is up, its disks are being looked at [nvme]']);
  expect(pending([], nvme('live', { '/sys/class/nvme/nvme0/nvme0n1/uevent': '' }))).toEqual([]);
  expect(pending([], nvme('live', { '/sys/class/nvme/nvme0/nvme0c0n1/uevent': '' }))).toEqual([]);
  expect(pending([], nvme('dead'))).toEqual([]);
});

test('a FireWire bus is scanned for a while', () => {
  expect(pending([{ bus: 'firewire', path: `${PCI}/fw0` }])).toEqual(['firewire fw0: bus is being scanned [scsi]']);
});

test('a driver that is starting may bring its kind of medium, or none', () => {
  const at = (path: string) => pendingDriver('x', `/lib/modules/6.1/kernel/${path}`);
  expect(at('drivers/nvme/host/nvme.ko')).toEqual({ text: 'driver x is starting', medium: 'nvme' });
  expect(at('drivers/ata/ahci.ko.xz')?.medium).toBe('sata');
  expect(at('drivers/ata/ata_piix.ko')?.medium).toBe('ide');
  expect(at('drivers/usb/host/xhci-pci.ko')?.medium).toBe('usb');
  expect(at('drivers/block/virtio_blk.ko')?.medium).toBe('scsi');
  expect(at('drivers/scsi/sr_mod.ko')?.medium).toBe('cd');
  expect(at('drivers/clk/clk-x.ko')).toEqual({ text: 'driver x is starting' });
  for (const path of [
    'drivers/hid/hid-generic.ko',
    'fs/ext4/ext4.ko',
    'drivers/net/ethernet/realtek/r8169.ko',
    'lib/crc64.ko',
    'block/t10-pi.ko',
    'drivers/block/loop.ko',
    'drivers/scsi/sd_mod.ko',
  ]) {
    expect(at(path), path).toBeUndefined();
  }
  expect(pendingDriver('x', '/lib/modules/6.1/updates/x.ko')).toEqual({ text: 'driver x is starting' });
});
