import { expect, test } from 'vitest';
import { parseUeventFile, readAllDevices, readDevice } from '../../../src/hardware/device.ts';
import { sysTree } from '../../../src/hardware/sys-tree.ts';
import { deviceFiles, memoryTree } from './memory-tree.ts';

test('driver and modaliases come from one file', () => {
  expect(parseUeventFile('DRIVER=ahci\nPCI_CLASS=10601\nMODALIAS=pci:v1\nMODALIAS=of:Nx')).toEqual({
    driver: 'ahci',
    modaliases: ['pci:v1', 'of:Nx'],
  });
  expect(parseUeventFile('')).toEqual({ modaliases: [] });
});

test('devices of every bus are found, with and without modalias or driver', () => {
  const tree = memoryTree({
    ...deviceFiles([
      { bus: 'pci', path: 'pci0000:00/0000:00:01.1', modalias: 'pci:v00008086', driver: 'ata_piix' },
      { bus: 'usb', path: 'pci0000:00/0000:00:02.0/usb1', driver: 'usb' },
      { bus: 'memory', path: 'system/memory/memory0' },
    ]),
    '/sys/devices/system/cpu/modalias': 'cpu:type:x86',
    '/sys/devices/virtual/dmi/id/modalias': 'dmi:bvn',
  });
  expect(readAllDevices(tree)).toEqual([
    {
      path: '/devices/pci0000:00/0000:00:01.1',
      bus: 'pci',
      name: '0000:00:01.1',
      driver: 'ata_piix',
      modaliases: ['pci:v00008086'],
    },
    { path: '/devices/pci0000:00/0000:00:02.0/usb1', bus: 'usb', name: 'usb1', driver: 'usb', modaliases: [] },
    { path: '/devices/system/cpu', bus: 'cpu', name: 'cpu', modaliases: ['cpu:type:x86'] },
    { path: '/devices/virtual/dmi/id', bus: 'dmi', name: 'id', modaliases: ['dmi:bvn'] },
  ]);
});

test('a device that has gone is no device', () => {
  const tree = memoryTree({ '/sys/bus/usb/devices/1-1': '-> ../../../devices/usb1/1-1' });
  expect(readAllDevices(tree)).toEqual([]);
  expect(readDevice(tree, '/devices/usb1/1-1', 'usb')).toBeUndefined();
});

test("this machine's own devices are read as the kernel shows them", () => {
  const devices = readAllDevices(sysTree());
  expect(devices.length).toBeGreaterThan(5);
  for (const { path } of devices) expect(path).toMatch(/^\/devices\/[^.]/);
  expect(devices.some(({ driver, modaliases }) => driver !== undefined && modaliases.length > 0)).toBe(true);
});
