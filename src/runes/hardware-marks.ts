import { readFileSync } from 'node:fs';
import type { HardwareMarks } from '../root/installed/machine-id.ts';
import type { Machine } from './machine.ts';

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/\0/g, '').trim();
  } catch {
    return undefined; // no SMBIOS, no device tree, or not for us: there are other marks
  }
}

/** What the firmware and the cards say of this machine. */
export function readHardwareMarks({ bootMac, macs }: Pick<Machine, 'bootMac' | 'macs'>): HardwareMarks {
  const dmi = '/sys/class/dmi/id';
  return {
    uuid: textOf(`${dmi}/product_uuid`),
    serials: ['product_serial', 'board_serial'].map((name) => textOf(`${dmi}/${name}`) ?? ''),
    boardSerial: textOf('/proc/device-tree/serial-number'),
    bootMac,
    macs,
  };
}
