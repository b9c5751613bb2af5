import { test } from 'vitest';
import { bootIso, type IsoWay } from './harness/boot-ways.ts';

/** Each firmware and each kind of medium that is made of the ISO; disks of other kinds are in test/long/buses.test.ts. */
const WAYS: readonly IsoWay[] = [
  { as: 'a CD by BIOS', firmware: 'bios', bus: 'ide-cd', medium: 'cd', device: '/dev/sr0' },
  { as: 'a CD by UEFI', firmware: 'uefi', bus: 'sata-cd', medium: 'cd', device: '/dev/sr0' },
  { as: 'a USB stick by BIOS', firmware: 'bios', bus: 'usb', medium: 'usb', device: '/dev/sda\\d?' },
  { as: 'a USB stick by UEFI', firmware: 'uefi', bus: 'usb', medium: 'usb', device: '/dev/sda\\d?' },
  { as: 'a virtio disk', firmware: 'bios', bus: 'virtio', medium: 'scsi', device: '/dev/vda\\d?' },
];

test.each(WAYS)('the ISO boots as $as', bootIso);
