import { expect, test } from 'vitest';
import { parseIpv6Links } from '../../../src/net/ipv6-links.ts';

test('links with an IPv6 address that a router gave, as the kernel lists them', () => {
  const text = [
    '00000000000000000000000000000001 01 80 10 80       lo',
    'fe80000000000000505400fffe123456 02 40 20 80     eth0',
    'fe80000000000000505400fffe123457 03 40 20 80     eth1',
    '20010db8000000000000000000000007 03 40 00 00     eth1',
    '',
  ].join('\n');
  expect([...parseIpv6Links(text)]).toEqual(['eth1']);
  expect([...parseIpv6Links('')]).toEqual([]);
});
