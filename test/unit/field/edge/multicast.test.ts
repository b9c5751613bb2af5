import type { NetworkInterfaceInfo } from 'node:os';
import { expect, test } from 'vitest';
import { wireAddresses } from '../../../../src/field/edge/multicast.ts';

const v4 = (address: string, internal = false): NetworkInterfaceInfo => ({
  address,
  internal,
  family: 'IPv4',
  netmask: '255.255.255.0',
  mac: '52:54:00:00:00:01',
  cidr: `${address}/24`,
});

test('the group is on every wire, not on loopback; with an address to listen at only on its wire', () => {
  const interfaces = { lo: [v4('127.0.0.1', true)], eth0: [v4('10.0.0.1')], eth1: [v4('10.0.1.1')], eth2: undefined };
  expect(wireAddresses('0.0.0.0', interfaces)).toEqual(['10.0.0.1', '10.0.1.1']);
  expect(wireAddresses('10.0.1.1', interfaces)).toEqual(['10.0.1.1']);
  expect(wireAddresses('10.0.2.1', interfaces)).toEqual([]);
});
