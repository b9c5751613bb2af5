import { expect, test } from 'vitest';
import { dnsmasqUser } from '../../../../src/runes/dhcp/dnsmasq-user.ts';

test('dnsmasq becomes nobody where there is one, and stays root where there is not', () => {
  expect(dnsmasqUser('root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n')).toEqual([]);
  expect(dnsmasqUser('root::0:0:root:/root:/bin/sh\n')).toEqual(['--user=root', '--group=root']);
  expect(dnsmasqUser('')).toEqual(['--user=root', '--group=root']);
});
