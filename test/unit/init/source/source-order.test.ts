import { expect, test } from 'vitest';
import { parseCommandLine } from '../../../../src/init/command-line.ts';
import { sourceOrder, wantsNetwork } from '../../../../src/init/source/source-order.ts';

const order = (words: string) => sourceOrder(parseCommandLine(words));
const wants = (words: string) => wantsNetwork(parseCommandLine(words));

test('without viver.media= own media come first, and the network is the last resort', () => {
  expect(order('quiet')).toEqual(['local', 'net']);
});

test('viver.media= says which sources are tried, and whether the network comes first', () => {
  expect(order('viver.media=net')).toEqual(['net']);
  expect(order('viver.media=usb,nvme')).toEqual(['local']);
  expect(order('viver.media=usb,net')).toEqual(['local', 'net']);
  expect(order('viver.media=net,usb')).toEqual(['net', 'local']);
});

test('the network is brought up from the start when the command line speaks of it', () => {
  expect(wants('quiet')).toBe(false);
  expect(wants('viver.media=usb')).toBe(false);
  expect(wants('viver.media=usb,net')).toBe(true);
  expect(wants('viver.peer=10.0.0.1')).toBe(true);
  expect(wants('viver.origin=http://10.0.0.1/default.castr')).toBe(true);
  expect(wants('BOOTIF=01-52-54-00-12-34-56')).toBe(true);
  expect(wants('viver.ip=dhcp viver.media=usb')).toBe(true);
});

test('a machine that was booted by network and is told to use its disk leaves the network to its image', () => {
  expect(wants('BOOTIF=01-52-54-00-12-34-56 viver.media=nvme')).toBe(false);
});
