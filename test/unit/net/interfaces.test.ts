import { expect, test } from 'vitest';
import type { Link } from '../../../src/linux/netlink/rtnetlink.ts';
import { bootMacOf, chooseStatic, isUsable } from '../../../src/net/interfaces.ts';

const eth0: Link = {
  index: 2,
  name: 'eth0',
  type: 1,
  mac: '52:54:00:12:34:56',
  mtu: 1500,
  up: true,
  loopback: false,
  carrier: true,
  operstate: 'up',
  kind: undefined,
};
const eth1: Link = { ...eth0, index: 3, name: 'eth1', mac: '52:54:00:12:34:57' };

test('Ethernet hardware is used, and what only exists in the kernel is not', () => {
  expect(isUsable(eth0)).toBe(true);
  expect(isUsable({ ...eth0, kind: 'veth' })).toBe(true);
  for (const kind of ['bridge', 'bond', 'ifb', 'dummy', 'vlan', 'tun']) expect(isUsable({ ...eth0, kind })).toBe(false);
  expect(isUsable({ ...eth0, loopback: true, type: 772 })).toBe(false);
  expect(isUsable({ ...eth0, type: 512 })).toBe(false);
  expect(isUsable({ ...eth0, mac: '' })).toBe(false);
});

test('a static address goes to the first interface with a link', () => {
  expect(chooseStatic([eth1, eth0], undefined)).toBe(eth0);
  expect(chooseStatic([{ ...eth0, carrier: false }, eth1], undefined)).toBe(eth1);
  expect(chooseStatic([{ ...eth0, carrier: false }], undefined)).toBeUndefined();
  expect(chooseStatic([], undefined)).toBeUndefined();
});

test('the interface the machine was booted by is waited for', () => {
  expect(chooseStatic([eth0, eth1], eth1.mac)).toBe(eth1);
  expect(chooseStatic([eth0, { ...eth1, carrier: false }], eth1.mac)).toBeUndefined();
  expect(chooseStatic([eth0, eth1], '00:00:00:00:00:09')).toBe(eth0);
});

test('BOOTIF names it, in the forms that boot loaders use', () => {
  expect(bootMacOf('quiet BOOTIF=01-52-54-00-AB-34-56 ro')).toBe('52:54:00:ab:34:56');
  expect(bootMacOf('BOOTIF=52:54:00:ab:34:56')).toBe('52:54:00:ab:34:56');
  expect(bootMacOf('XBOOTIF=01-52-54-00-ab-34-56')).toBeUndefined();
  expect(bootMacOf('BOOTIF=52-54-00-ab-34')).toBeUndefined();
  expect(bootMacOf('')).toBeUndefined();
});
