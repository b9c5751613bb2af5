import { test } from 'vitest';
import { bootBehind, bootIso, type IsoWay } from '../vm/harness/boot-ways.ts';

const WAYS: readonly IsoWay[] = [
  { as: 'an SD card', firmware: 'bios', bus: 'sd', medium: 'mmc', device: '/dev/mmcblk0(p\\d)?' },
  { as: 'a SATA disk', firmware: 'bios', bus: 'sata', medium: 'sata', device: '/dev/sda\\d?' },
  { as: 'an NVMe disk', firmware: 'uefi', bus: 'nvme', medium: 'nvme', device: '/dev/nvme0n1(p\\d)?' },
];

test.each(WAYS)('the ISO boots as $as', bootIso);

test.each(['megasas', 'pvscsi', 'usb2'] as const)('an image behind %s is found', bootBehind);
