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

/** A machine with one e1000. */
const withCard = (driver: string): SysTree => ({
  list: (directory) => ({ '/sys/bus': ['pci'], '/sys/bus/pci/devices': ['0000:00:03.0'] })[directory] ?? [],
  read: (file) =>
    file.endsWith('/uevent') ? `${driver}MODALIAS=pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00` : undefined,
  link: (path) => (path.endsWith('0000:00:03.0') ? '/sys/devices/pci0000:00/0000:00:03.0' : undefined),
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
