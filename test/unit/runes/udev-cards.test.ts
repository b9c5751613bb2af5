import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SysTree } from '../../../src/hardware/sys-tree.ts';
import { udevIsAtCards } from '../../../src/runes/udev-cards.ts';

let run: string;
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'viver-udev-'));
  mkdirSync(join(run, 'data'));
});
afterEach(() => rmSync(run, { recursive: true }));

const touch = (name: string): void => writeFileSync(join(run, name), '');

const CARD = '/sys/devices/pci0000:00/0000:00:03.0';

/** A machine with one e1000. @param below where its interface lies below the card; null: it has none yet */
const withCard = (driver: string, below: string | null = driver === '' ? null : 'net/eth0'): SysTree => ({
  list: (directory) =>
    ({
      '/sys/bus': ['pci'],
      '/sys/bus/pci/devices': ['0000:00:03.0'],
      '/sys/class/net': ['lo', ...(below === null ? [] : ['eth0'])],
    })[directory] ?? [],
  read: (file) =>
    file.endsWith('/uevent') ? `${driver}MODALIAS=pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00` : undefined,
  link: (path) => {
    if (path.endsWith('0000:00:03.0')) return CARD;
    if (path.endsWith('/lo')) return '/sys/devices/virtual/net/lo';
    return path.endsWith('/eth0') && below !== null ? `${CARD}/${below}` : undefined;
  },
});

test('without udev nobody is waited for', () => {
  expect(udevIsAtCards([{ index: 2 }], run, withCard(''))).toBe(false);
});

test('a card that udev has not named yet is waited for', () => {
  touch('control');
  expect(udevIsAtCards([{ index: 2 }], run, withCard('DRIVER=e1000\n'))).toBe(true);
  touch('data/n2');
  expect(udevIsAtCards([{ index: 2 }], run, withCard('DRIVER=e1000\n'))).toBe(false);
});

test('a card without a driver is waited for as long as udev has something to do', () => {
  touch('control');
  expect(udevIsAtCards([], run, withCard(''))).toBe(false);
  touch('queue');
  expect(udevIsAtCards([], run, withCard(''))).toBe(true);
  expect(udevIsAtCards([], run, withCard('DRIVER=e1000\n'))).toBe(false);
});

test('a card whose driver still sets it up is waited for too: a machine with two would see one', () => {
  touch('control');
  touch('queue');
  const starting = withCard('DRIVER=bnx2\n', null);
  expect(udevIsAtCards([], run, starting)).toBe(true);
  expect(udevIsAtCards([], run, withCard('DRIVER=bnx2\n'))).toBe(false);
  // virtio's interface is that of a device below the card
  expect(udevIsAtCards([], run, withCard('DRIVER=virtio-pci\n', 'virtio0/net/eth0'))).toBe(false);
});

test('a driver that makes no interface is not waited for without end', () => {
  touch('control');
  const taken = withCard('DRIVER=vfio-pci\n', null);
  expect(udevIsAtCards([], run, taken)).toBe(false);
});

test('of a USB adapter only one of its interfaces is a network card', () => {
  touch('control');
  touch('queue');
  const usb: SysTree = {
    list: (d) =>
      ({ '/sys/bus': ['usb'], '/sys/bus/usb/devices': ['1-1:1.0', '1-1:1.1'], '/sys/class/net': ['usb0'] })[d] ?? [],
    read: (file) =>
      file.endsWith('/uevent')
        ? 'DRIVER=cdc_ether\nMODALIAS=usb:v0BDAp8153d3100dc00dsc00dp00ic0Aisc00ip00in01'
        : undefined,
    link: (path) =>
      path.endsWith('/usb0')
        ? '/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/net/usb0'
        : path.replace('/sys/bus/usb/devices', '/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1'),
  };
  expect(udevIsAtCards([], run, usb)).toBe(false);
});
