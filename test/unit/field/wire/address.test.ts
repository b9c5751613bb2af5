import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decode, encode } from '../../../../src/codec/struct.ts';
import { addressCodec, formatAddress, parseAddress } from '../../../../src/field/wire/address.ts';
import { anyAddress } from '../arbitrary.ts';

test('addresses are read back as they were written, and parsed back as they were formatted', () => {
  fc.assert(
    fc.property(anyAddress, (address) => {
      expect(decode(addressCodec, encode(addressCodec, address))).toBe(address);
      const { host, port } = parseAddress(address);
      expect(formatAddress(host, port)).toBe(address);
    }),
  );
});

test('an IPv4 address seen through an IPv6 socket is the IPv4 address', () => {
  expect(formatAddress('::ffff:10.1.2.3', 4)).toBe('10.1.2.3:4');
});

test('names, ports out of range and loose text are no addresses', () => {
  for (const text of ['', 'host:1', '1.2.3.4', '1.2.3.4:65536', '1.2.3:4', '::1:5', '[::1]', '1.2.3.4:5x']) {
    expect(() => parseAddress(text), text).toThrow('is no address');
  }
  expect(parseAddress('1.2.3.4', 9)).toEqual({ host: '1.2.3.4', port: 9 });
});
