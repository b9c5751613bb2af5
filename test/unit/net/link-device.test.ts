import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readLinkDevice } from '../../../src/net/link-device.ts';

const sys = mkdtempSync(join(tmpdir(), 'viver-sys-'));
afterAll(() => rmSync(sys, { recursive: true }));
const card = join(sys, 'devices/pci0000:00/0000:00:03.0');
mkdirSync(join(card, 'net/eth0'), { recursive: true });
mkdirSync(join(sys, 'devices/virtual/net/lo'), { recursive: true });
mkdirSync(join(sys, 'class/net'), { recursive: true });
symlinkSync('../../devices/pci0000:00/0000:00:03.0/net/eth0', join(sys, 'class/net/eth0'));
symlinkSync('../../devices/virtual/net/lo', join(sys, 'class/net/lo'));
symlinkSync('../..', join(card, 'net/eth0/device'));

test('a card is found by its link, before and after it has a driver', () => {
  expect(readLinkDevice('eth0', sys)).toEqual({ path: card, driver: undefined });
  symlinkSync('../../../bus/pci/drivers/e1000e', join(card, 'driver'));
  expect(readLinkDevice('eth0', sys)).toEqual({ path: card, driver: 'e1000e' });
});

test('a link that is no hardware, or is gone, has none', () => {
  expect(readLinkDevice('lo', sys)).toBeUndefined();
  expect(readLinkDevice('eth9', sys)).toBeUndefined();
  expect(readLinkDevice('lo')).toBeUndefined();
});
