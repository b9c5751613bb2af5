import { expect, test } from 'vitest';
import { lossOf } from '../../../src/runes/lost-address.ts';

const own = { address: '10.86.0.7', interfaceName: 'eth0' };
const at = (linkIndex: number, address = own.address) => ({ linkIndex, address, prefixLength: 22 });

test('an address that is where it was is no loss, nor is one that somebody put on a bridge of its card', () => {
  expect(lossOf(own, [at(2), at(2, '10.1.1.1')], [{ index: 2, name: 'eth0' }])).toBeUndefined();
  const bridged = [
    { index: 2, name: 'eth0' },
    { index: 5, name: 'br0' },
  ];
  expect(lossOf(own, [at(5)], bridged)).toBeUndefined();
});

test('an address that is gone is one', () => {
  expect(lossOf(own, [at(2, '10.1.1.1')], [{ index: 2, name: 'eth0' }])).toBe('10.86.0.7 is gone from eth0');
  expect(lossOf(own, [], [])).toBe('10.86.0.7 is gone from eth0');
});

test('a card that udev renames while it is up is one: what is bound to its name finds it no more', () => {
  expect(lossOf(own, [at(2)], [{ index: 2, name: 'enp0s3' }])).toBe('eth0 is called enp0s3 now');
  // pulled out between the two questions
  expect(lossOf(own, [at(2)], [])).toBe('eth0 is gone');
});
