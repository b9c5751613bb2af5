import { test } from 'vitest';
import { smallImage } from '../vm/harness/images.ts';
import { copiedIso, isoOf } from '../vm/harness/isos.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';

test.each([
  { as: 'as a CD', name: 'ia32-cd', bus: 'sata-cd', medium: 'cd', made: isoOf },
  { as: 'written to a stick', name: 'ia32-stick', bus: 'usb', medium: 'usb', made: isoOf },
  {
    as: 'copied onto FAT32',
    name: 'ia32-fat32',
    bus: 'usb',
    medium: 'usb',
    made: async (image: Parameters<typeof isoOf>[0]) => copiedIso(await isoOf(image)),
  },
] as const)(
  'UEFI of 32 bits starts the 64-bit kernel from the ISO $as',
  async ({ name, bus, medium, made }) => {
    await runScenario({
      name,
      firmware: 'uefi-ia32',
      cpus: 2,
      disks: [{ name: 'medium', bus, file: await made(await smallImage()) }],
      steps: [
        { wait: rootReady({ image: 'small', medium }), within: 150 },
        ...LOGIN,
        { run: 'cat /sys/firmware/efi/fw_platform_size', output: /^32$/ },
        { run: 'uname -m', output: /^x86_64$/ },
        ...POWER_OFF,
      ],
    });
  },
  600_000,
);
