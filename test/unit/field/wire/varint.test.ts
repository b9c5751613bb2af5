import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodecError, decode, encode } from '../../../../src/codec/struct.ts';
import { several, u48, varint } from '../../../../src/field/wire/varint.ts';

test('every whole number up to 2^53 - 1 is read back as it was written', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      expect(decode(varint, encode(varint, value))).toBe(value);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (value) => {
      expect(decode(u48, encode(u48, value))).toBe(value);
    }),
  );
});

test('a number that is cut short or too large is refused', () => {
  expect(() => decode(varint, Uint8Array.of(128))).toThrow(CodecError);
  expect(() => decode(varint, new Uint8Array(9).fill(255))).toThrow(CodecError);
  expect(() => decode(u48, new Uint8Array(5))).toThrow(CodecError);
  expect(() => encode(varint, 1.5)).toThrow(CodecError);
});

test('a count larger than the bytes behind it is refused before anything is made of it', () => {
  const list = several(varint, 1000);
  expect(() => decode(list, Uint8Array.of(100, 1, 2, 3))).toThrow('count 100 is too large');
  expect(decode(list, Uint8Array.of(2, 1, 2, 3))).toEqual([1, 2]);
});
