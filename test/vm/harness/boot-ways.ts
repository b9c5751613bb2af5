import { expect } from 'vitest';
import { viverKernel } from './direct.ts';
import { imageDisk, smallImage } from './images.ts';
import { LOGIN, POWER_OFF, rootReady } from './login.ts';
import { product } from './products.ts';
import { runScenario } from './run-scenario.ts';
import type { Bus, Step } from './scenario.ts';

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

/** How the ISO is put into a machine. */
export interface IsoWay {
  readonly as: string;
  readonly firmware: 'bios' | 'uefi';
  readonly bus: Bus;
  readonly medium: string;
  readonly device: string;
}

/** An SD card must have a power of two for its size. */
const SD_CARD_BYTES = 1 << 30;

/** The ISO on that medium: each stage is told, the system is used and switched off. */
export async function bootIso({ firmware, bus, medium, device }: IsoWay): Promise<void> {
  const outcome = await runScenario({
    name: `iso-${bus}-${firmware}`,
    firmware,
    cpus: firmware === 'uefi' ? 2 : 1,
    disks: [{ name: 'medium', bus, file: product('viver.iso'), ...(bus === 'sd' ? { sizeBytes: SD_CARD_BYTES } : {}) }],
    steps: bootOf(medium, device),
  });
  expect(outcome.console.some(({ text }) => /viver: \[1\/\d+\] \S+ … \d+ ms/.test(text))).toBe(true);
}

/** The small image on the first disk of that bus, seen as /dev/sda. */
export async function bootBehind(bus: Bus): Promise<void> {
  await runScenario({
    name: `bus-${bus}`,
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus, file: await imageDisk(await smallImage()) }],
    steps: [{ wait: rootReady({ image: 'small', device: '/dev/sda1' }), within: 90 }, ...LOGIN, ...POWER_OFF],
  });
}
