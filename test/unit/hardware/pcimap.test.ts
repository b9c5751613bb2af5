import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PciMap } from '../../../src/hardware/pcimap.ts';

/** As depmod of module-init-tools wrote it for a 2.6 kernel. */
const MAP = `# pci module         vendor     device     subvendor  subdevice  class      class_mask driver_data
3c59x                0x000010b7 0x00005900 0xffffffff 0xffffffff 0x00000000 0x00000000 0x0
ata_piix             0x00008086 0x00007010 0xffffffff 0xffffffff 0x00000000 0x00000000 0x0
ahci                 0xffffffff 0xffffffff 0xffffffff 0xffffffff 0x00010601 0x00ffffff 0x0
snd-intel8x0         0x00008086 0x00002415 0x00001af4 0x00001100 0x00000000 0x00000000 0x0
usb-ohci             0xffffffff 0xffffffff 0xffffffff 0xffffffff 0x000c0310 0xffffffff 0x0
odd-mask             0x00001234 0xffffffff 0xffffffff 0xffffffff 0x00020000 0x00fe0000 0x0
`;

function modalias(vendor: number, device: number, subvendor: number, subdevice: number, deviceClass: number): string {
  const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0');
  const [base, sub, programming] = [deviceClass >> 16, (deviceClass >> 8) & 0xff, deviceClass & 0xff];
  const ids = `v${hex(vendor, 8)}d${hex(device, 8)}sv${hex(subvendor, 8)}sd${hex(subdevice, 8)}`;
  return `pci:${ids}bc${hex(base, 2)}sc${hex(sub, 2)}i${hex(programming, 2)}`;
}

test('a device is found by its ids, its subsystem ids, or its class', () => {
  const problems: string[] = [];
  const map = new PciMap(MAP, 'modules.pcimap', problems);
  expect(problems).toEqual([]);
  expect(map.lookup(modalias(0x10b7, 0x5900, 1, 2, 0x020000))).toEqual(['3c59x']);
  expect(map.lookup(modalias(0x8086, 0x2415, 0x1af4, 0x1100, 0x040100))).toEqual(['snd-intel8x0']);
  expect(map.lookup(modalias(0x8086, 0x2415, 0x1af4, 0x1101, 0x040100))).toEqual([]);
  expect(map.lookup(modalias(0x8086, 0x2922, 0x1af4, 0x1100, 0x010601))).toEqual(['ahci']);
  expect(map.lookup(modalias(0x106b, 0x003f, 0, 0, 0x0c0310))).toEqual(['usb-ohci']);
});

test('a class mask counts bit by bit', () => {
  const map = new PciMap(MAP, 'modules.pcimap', []);
  expect(map.lookup(modalias(0x1234, 1, 0, 0, 0x020000))).toEqual(['odd-mask']);
  expect(map.lookup(modalias(0x1234, 1, 0, 0, 0x03ff10))).toEqual(['odd-mask']);
  expect(map.lookup(modalias(0x1234, 1, 0, 0, 0x040000))).toEqual([]);
});

test('a modalias of another bus finds nothing', () => {
  expect(new PciMap(MAP, 'modules.pcimap', []).lookup('usb:v1234')).toEqual([]);
});

test('a map cut short anywhere keeps its whole lines and names the cut one', () => {
  for (let length = 0; length < MAP.length; length++) {
    const problems: string[] = [];
    const map = new PciMap(MAP.slice(0, length), 'modules.pcimap', problems);
    expect(problems.length, MAP.slice(0, length)).toBeLessThanOrEqual(1);
    const whole = MAP.slice(0, length).includes('0x5900 0xffffffff 0xffffffff 0x00000000 0x00000000\n');
    if (whole) expect(map.lookup(modalias(0x10b7, 0x5900, 1, 2, 0x020000))).toEqual(['3c59x']);
  }
});

test('garbage is named and passed over', () => {
  const problems: string[] = [];
  const map = new PciMap(`\0\0\0\n3c59x zzz\n${MAP}`, 'modules.pcimap', problems);
  expect(problems).toHaveLength(2);
  expect(problems[1]).toBe("modules.pcimap:2: not a module and 6 numbers: '3c59x zzz'");
  expect(map.lookup(modalias(0x10b7, 0x5900, 1, 2, 0))).toEqual(['3c59x']);
  fc.assert(fc.property(fc.string(), fc.string(), (text, key) => void new PciMap(text, 'x', []).lookup(`pci:${key}`)));
});
