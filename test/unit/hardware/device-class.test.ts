import { expect, test } from 'vitest';
import { classifyDevice, deferredReason, isNetworkModule } from '../../../src/hardware/device-class.ts';
import { readModuleIndex } from '../../../src/hardware/module-directory.ts';
import { kernelModules } from './kernel-tree.ts';

const pci = (classes: string, ids = 'v00008086d00001234sv00000000sd00000000') => `pci:${ids}${classes}`;

const CASES: readonly (readonly [modalias: string, what: string, companions: string])[] = [
  [pci('bc01sc06i01'), 'SATA controller', 'sd_mod sr_mod'],
  [pci('bc01sc01i80'), 'IDE controller', 'sd_mod sr_mod'],
  [pci('bc01sc08i02'), 'NVMe disk', ''],
  [pci('bc01sc07i00'), 'storage controller', 'sd_mod sr_mod'],
  [pci('bc01sc00i00', 'v00001AF4d00001001sv0sd0'), 'virtio disk', 'virtio_blk'],
  [pci('bc01sc00i00', 'v00001AF4d00001048sv0sd0'), 'virtio SCSI controller', 'virtio_scsi sd_mod sr_mod'],
  [pci('bc0Csc03i30'), 'USB host', 'usb_storage uas sd_mod sr_mod usbhid hid_generic'],
  [pci('bc0Csc03i40'), 'Thunderbolt or USB4 host', ''],
  [pci('bc0Csc00i10'), 'FireWire host', 'firewire_sbp2 sd_mod sr_mod'],
  [pci('bc08sc05i01'), 'SD host', 'mmc_block'],
  [pci('bc03sc00i00'), 'display controller', ''],
  [pci('bc02sc00i00'), 'network card', ''],
  [
    'usb:v1D6Bp0003d0601dc09dsc00dp03ic09isc00ip00in00',
    'USB root hub',
    'usb_storage uas sd_mod sr_mod usbhid hid_generic',
  ],
  ['usb:v0781p5567d0100dc00dsc00dp00ic08isc06ip50in00', 'USB storage', 'usb_storage uas sd_mod sr_mod'],
  ['usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00', 'USB keyboard or mouse', 'usbhid hid_generic'],
  ['scsi:t-0x05', 'CD drive', ''],
  ['scsi:t-0x00', 'disk', ''],
  ['mmc:block', 'SD card or eMMC', ''],
  ['acpi:PNP0303:', 'PS/2 keyboard', 'i8042 atkbd'],
  ['acpi:80860F14:PNP0D40:', 'SD host', 'mmc_block'],
  ['vmbus:d96361baa104294db60572e2ffb1dc7f', 'Hyper-V disks', 'sd_mod sr_mod'],
  ['virtio:d00000002v00001AF4', 'virtio disk', ''],
];

test('a device brings what its class needs', () => {
  for (const [modalias, what, companions] of CASES) {
    const found = classifyDevice({ bus: 'x', modaliases: [modalias] });
    expect([found.what, found.companions.map(({ module }) => module).join(' ')], modalias).toEqual([what, companions]);
  }
});

test('every companion is a module of the full kernel, or built into it', () => {
  const index = readModuleIndex(kernelModules(), { configPaths: [] });
  for (const [modalias] of CASES) {
    for (const { module } of classifyDevice({ bus: 'x', modaliases: [modalias] }).companions) {
      expect(index.lookup(module), module).toEqual([module]);
    }
  }
});

test('a device of no known class is what its bus is', () => {
  expect(classifyDevice({ bus: 'acpi', modaliases: ['acpi:LNXSYBUS:'] })).toEqual({
    class: 'other',
    what: 'acpi device',
    companions: [],
  });
  expect(classifyDevice({ bus: 'usb', modaliases: [] }).class).toBe('other');
});

test('what the console and the disks do without is left to the image', () => {
  const deferred = (path: string) => deferredReason(`/lib/modules/6.1/kernel/${path}`) !== undefined;
  expect(deferred('drivers/gpu/drm/i915/i915.ko')).toBe(true);
  expect(deferred('drivers/gpu/drm/virtio/virtio-gpu.ko')).toBe(false);
  expect(deferred('drivers/block/floppy.ko.xz')).toBe(true);
  expect(deferred('drivers/input/mouse/psmouse.ko')).toBe(true);
  expect(deferred('drivers/input/misc/pcspkr.ko')).toBe(true);
  expect(deferred('drivers/input/misc/xen-kbdfront.ko')).toBe(false);
  expect(deferred('drivers/hid/usbhid/usbhid.ko')).toBe(false);
  expect(deferred('drivers/ata/ahci.ko')).toBe(false);
});

test('a network driver is known by its place', () => {
  expect(isNetworkModule('/lib/modules/6.1/kernel/drivers/net/ethernet/intel/e1000/e1000.ko')).toBe(true);
  expect(isNetworkModule('/lib/modules/6.1/kernel/net/ipv6/ipv6.ko')).toBe(false);
});
