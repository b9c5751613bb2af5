import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  choosePrivate,
  dhcpRange,
  isOwnRange,
  isStranded,
  leadsElsewhere,
  maskOf,
  overlaps,
  toAddress,
  toNumber,
} from '../../../../src/runes/dhcp/private-range.ts';

const MAC = '52:54:00:12:34:56';

test('the address follows from the MAC alone, and from the attempt when it is taken', () => {
  expect(choosePrivate(MAC, [])).toEqual(choosePrivate(MAC, []));
  expect(choosePrivate(MAC, [], 1)).not.toEqual(choosePrivate(MAC, []));
  expect(choosePrivate('52:54:00:12:34:57', [])).not.toEqual(choosePrivate(MAC, []));
});

test('a range the machine uses elsewhere is not taken', () => {
  expect(choosePrivate(MAC, []).address).toMatch(/^10\.86\./);
  expect(choosePrivate(MAC, [{ address: '10.0.0.0', prefixLength: 8 }]).address).toMatch(/^172\.27\./);
  const used = [
    { address: '10.0.0.0', prefixLength: 8 },
    { address: '172.16.0.0', prefixLength: 12 },
  ];
  expect(choosePrivate(MAC, used)).toMatchObject({
    address: expect.stringMatching(/^192\.168\.186\./),
    prefixLength: 24,
  });
});

test('addresses machines choose and addresses they are given never meet', () => {
  const mac = fc.array(fc.nat(255), { minLength: 6, maxLength: 6 }).map((bytes) => bytes.join(':'));
  const used = fc.subarray([
    { address: '10.0.0.0', prefixLength: 8 },
    { address: '172.16.0.0', prefixLength: 12 },
  ]);
  fc.assert(
    fc.property(mac, used, fc.nat(8), (one, networks, attempt) => {
      const chosen = choosePrivate(one, networks, attempt);
      const range = dhcpRange({ ...chosen, origin: 'chosen' });
      expect(isOwnRange(chosen)).toBe(true);
      expect(toNumber(chosen.address)).toBeLessThan(toNumber(range.first));
      expect(toNumber(range.first)).toBeLessThan(toNumber(range.last));
      expect(overlaps(chosen, { address: range.last, prefixLength: 32 })).toBe(true);
    }),
  );
});

test('on a network of others all its hosts are the range', () => {
  expect(dhcpRange({ address: '192.168.7.40', prefixLength: 24, origin: 'static' })).toEqual({
    first: '192.168.7.1',
    last: '192.168.7.254',
    mask: '255.255.255.0',
  });
});

test('addresses and numbers are the same thing', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), (number) => {
      expect(toNumber(toAddress(number))).toBe(number);
    }),
  );
  expect([0, 8, 20, 32].map(maskOf)).toEqual(['0.0.0.0', '255.0.0.0', '255.255.240.0', '255.255.255.255']);
});

test('who still has an address of an empty network is no server of one that has its own', () => {
  const theirs = { address: '10.72.0.79', prefixLength: 24 };
  const ours = { address: '10.86.2.106', prefixLength: 16 };
  expect(isStranded('10.86.34.143', theirs)).toBe(true);
  expect(isStranded('192.168.186.9', theirs)).toBe(true);
  expect(isStranded('10.72.0.80', theirs)).toBe(false);
  expect(isStranded('10.86.34.143', ours)).toBe(false);
  expect(isStranded('fe80::1', theirs)).toBe(false);
});

test('who chose an address goes to a boot server of VIVER in another network; of two that chose, only one moves', () => {
  const own = { address: '10.86.0.9', prefixLength: 16 };
  const from = (server: string, yourAddress: string) => leadsElsewhere({ server, yourAddress }, own);
  expect(from('10.80.0.2', '10.80.0.5')).toBe(true);
  expect(from('10.86.0.7', '10.86.9.5')).toBe(false);
  expect(from('10.80.0.2', '0.0.0.0')).toBe(false);
  const there = { address: '172.27.0.4', prefixLength: 16 };
  expect(from('172.27.0.4', '172.27.9.5')).toBe(false);
  expect(leadsElsewhere({ server: '10.86.0.9', yourAddress: '10.86.9.5' }, there)).toBe(true);
});
