import { assert, integer, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import type { Link } from '../../../src/linux/netlink/rtnetlink.ts';
import { isVlanOf, parseVlan, vlanName } from '../../../src/net/vlan.ts';

test('the number of a VLAN is one of 1 to 4094, and nothing else is taken', () => {
  assert(property(integer({ min: 1, max: 4094 }), (id) => parseVlan(String(id)) === id));
  for (const text of [undefined, '', '0', '4095', '05', '5.', '-5', '0x5', '5 ', '5;reboot'])
    expect(parseVlan(text)).toBeUndefined();
  assert(property(string(), (text) => parseVlan(text) === undefined || /^[1-9]\d{0,3}$/.test(text)));
});

test('it is named after its card, within what the kernel takes', () => {
  expect(vlanName('eth0', 5)).toBe('eth0.5');
  expect(vlanName('enx525400123456', 4094)).toBe('enx5254001.4094');
});

test('of all links only that VLAN of those cards is used', () => {
  const link = (name: string, kind: string | undefined) => ({ name, kind }) as Link;
  const cards = [{ name: 'eth0' }];
  expect(isVlanOf(link('eth0.5', 'vlan'), 5, cards)).toBe(true);
  expect(isVlanOf(link('eth0.6', 'vlan'), 5, cards)).toBe(false);
  expect(isVlanOf(link('eth1.5', 'vlan'), 5, cards)).toBe(false);
  expect(isVlanOf(link('eth0.5', 'bridge'), 5, cards)).toBe(false);
});
