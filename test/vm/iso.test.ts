import { expect, test } from 'vitest';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { product } from './harness/products.ts';
import { runScenario } from './harness/run-scenario.ts';
import type { Bus, Step } from './harness/scenario.ts';

/** From power-on through the boot loader to a login, a look at the system, and a clean power-off. */
function bootOf(medium: string, device: string): readonly Step[] {
  return [
    { wait: rootReady({ image: 'debian', medium, device, cow: 'ram' }), within: 150 },
    ...LOGIN,
    { run: 'findmnt -n -o FSTYPE /', output: /^overlay$/ },
    { run: 'touch /etc/written && cat /run/viver/boot.json', output: /"stages"/ },
    ...POWER_OFF,
  ];
}

interface Way {
  readonly as: string;
  readonly firmware: 'bios' | 'uefi';
  readonly bus: Bus;
  readonly medium: string;
  readonly device: string;
}

const WAYS: readonly Way[] = [
  { as: 'a CD by BIOS', firmware: 'bios', bus: 'ide-cd', medium: 'cd', device: '/dev/sr0' },
  { as: 'a CD by UEFI', firmware: 'uefi', bus: 'sata-cd', medium: 'cd', device: '/dev/sr0' },
  { as: 'a USB stick by BIOS', firmware: 'bios', bus: 'usb', medium: 'usb', device: '/dev/sda\\d?' },
  { as: 'a USB stick by UEFI', firmware: 'uefi', bus: 'usb', medium: 'usb', device: '/dev/sda\\d?' },
  { as: 'an SD card', firmware: 'bios', bus: 'sd', medium: 'mmc', device: '/dev/mmcblk0(p\\d)?' },
  { as: 'a SATA disk', firmware: 'bios', bus: 'sata', medium: 'sata', device: '/dev/sda\\d?' },
  { as: 'an NVMe disk', firmware: 'uefi', bus: 'nvme', medium: 'nvme', device: '/dev/nvme0n1(p\\d)?' },
  { as: 'a virtio disk', firmware: 'bios', bus: 'virtio', medium: 'scsi', device: '/dev/vda\\d?' },
];

/** An SD card must have a power of two for its size. */
const SD_CARD_BYTES = 1 << 30;

test.each(WAYS)('the ISO boots as $as', async ({ firmware, bus, medium, device }) => {
  const outcome = await runScenario({
    name: `iso-${bus}-${firmware}`,
    firmware,
    cpus: firmware === 'uefi' ? 2 : 1,
    disks: [{ name: 'medium', bus, file: product('viver.iso'), ...(bus === 'sd' ? { sizeBytes: SD_CARD_BYTES } : {}) }],
    steps: bootOf(medium, device),
  });
  expect(outcome.console.some(({ text }) => /viver: \[1\/\d+\] \S+ … \d+ ms/.test(text))).toBe(true);
});
