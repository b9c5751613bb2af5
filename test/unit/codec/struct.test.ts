import fc from 'fast-check';
import { expect, expectTypeOf, test } from 'vitest';
import {
  bytes,
  type Codec,
  CodecError,
  cstring,
  decode,
  encode,
  type FixedCodec,
  i8,
  i16le,
  i32be,
  i32le,
  listOf,
  literal,
  mapped,
  padding,
  prefixed,
  prefixedText,
  rest,
  struct,
  u8,
  u16be,
  u16le,
  u32be,
  u32le,
  u64be,
  u64beBig,
  u64le,
  u64leBig,
} from '../../../src/codec/struct.ts';

const header = struct('header', [
  ['magic', literal(u32le, 0x73717368)],
  ['count', u16le],
  ['pad', padding(2)],
  ['name', cstring(8)],
]);

test('a record has the type of its fields, without literals and padding', () => {
  const value = decode(header, Uint8Array.of(0x68, 0x73, 0x71, 0x73, 7, 0, 9, 9, 0x61, 0x62, 0, 1, 2, 3, 4, 5));
  expectTypeOf(value).toEqualTypeOf<{ count: number; name: string }>();
  expect(value).toEqual({ count: 7, name: 'ab' });
});

test('a record of fixed fields has a size, one with an open end has none', () => {
  expectTypeOf(header).toExtend<FixedCodec<unknown>>();
  expect(header.size).toBe(16);
  const open = struct('open', [
    ['kind', u8],
    ['body', rest],
  ]);
  expectTypeOf(open).not.toExtend<FixedCodec<unknown>>();
  expect('size' in open).toBe(false);
});

test('write returns the next offset, read the value and the next offset', () => {
  const target = new Uint8Array(20);
  expect(header.write({ count: 513, name: 'viver' }, target, 2)).toBe(18);
  expect(target.subarray(2, 8)).toEqual(Uint8Array.of(0x68, 0x73, 0x71, 0x73, 1, 2));
  expect(header.read(target, 2)).toEqual([{ count: 513, name: 'viver' }, 18]);
});

test('the bytes are those of DataView', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (source) => {
      const view = new DataView(source.buffer);
      expect(decode(u16be, source)).toBe(view.getUint16(0));
      expect(decode(u16le, source)).toBe(view.getUint16(0, true));
      expect(decode(u32be, source)).toBe(view.getUint32(0));
      expect(decode(u32le, source)).toBe(view.getUint32(0, true));
      expect(decode(i8, source)).toBe(view.getInt8(0));
      expect(decode(i16le, source)).toBe(view.getInt16(0, true));
      expect(decode(i32le, source)).toBe(view.getInt32(0, true));
      expect(decode(i32be, source)).toBe(view.getInt32(0));
      expect(decode(u64leBig, source)).toBe(view.getBigUint64(0, true));
      expect(decode(u64beBig, source)).toBe(view.getBigUint64(0));
      const quantity = view.getBigUint64(0, true);
      if (quantity <= BigInt(Number.MAX_SAFE_INTEGER)) expect(decode(u64le, source)).toBe(Number(quantity));
      else expect(() => decode(u64le, source)).toThrow(CodecError);
    }),
  );
});

test('every number that fits comes back, and every other is refused', () => {
  const codecs: [FixedCodec<number>, number, number][] = [
    [u8, 0, 255],
    [u16le, 0, 65535],
    [u32be, 0, 2 ** 32 - 1],
    [u64le, 0, Number.MAX_SAFE_INTEGER],
    [u64be, 0, Number.MAX_SAFE_INTEGER],
    [i8, -128, 127],
    [i32le, -(2 ** 31), 2 ** 31 - 1],
  ];
  for (const [codec, min, max] of codecs) {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        if (value >= min && value <= max) expect(decode(codec, encode(codec, value))).toBe(value);
        else expect(() => encode(codec, value)).toThrow(CodecError);
      }),
    );
    for (const value of [min, max]) expect(decode(codec, encode(codec, value))).toBe(value);
    for (const value of [min - 1, max + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => encode(codec, value)).toThrow(CodecError);
    }
  }
  expect(() => encode(u64beBig, -1n)).toThrow(CodecError);
});

test('2^53 is refused and 2^53 - 1 is not', () => {
  expect(decode(u64be, Uint8Array.of(0, 0x1f, 255, 255, 255, 255, 255, 255))).toBe(Number.MAX_SAFE_INTEGER);
  expect(() => decode(u64be, Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0))).toThrow('past 2^53 - 1');
});

test('short input names record, field and what is missing', () => {
  const error = () => decode(header, Uint8Array.of(0x68, 0x73, 0x71, 0x73, 1, 2, 3, 4, 0x61, 0x62, 0x63));
  expect(error).toThrow(new CodecError('header.name: needs 8 bytes at offset 8, has 3'));
  expect(() => decode(header, new Uint8Array(16))).toThrow('header.magic: is 0x0, must be 0x73717368');
});

test('a length or a count that lies is refused before anything is allocated', () => {
  expect(() => decode(prefixed(u32le, 2 ** 32), Uint8Array.of(255, 255, 255, 255, 1))).toThrow(CodecError);
  expect(() => decode(prefixed(u16le, 4), Uint8Array.of(5, 0, 1, 2, 3, 4, 5))).toThrow('length 5 is above 4');
  expect(() => decode(listOf(u32le, u64le, 2 ** 32), Uint8Array.of(255, 255, 255, 255))).toThrow(CodecError);
  expect(() => decode(listOf(u8, u8, 3), Uint8Array.of(4, 1, 2, 3, 4))).toThrow('count 4 is above 3');
});

test('text must be UTF-8, without NUL, and fit its field', () => {
  expect(() => decode(cstring(2), Uint8Array.of(0xff, 0xfe))).toThrow('is not UTF-8');
  expect(() => encode(cstring(2), 'äö')).toThrow(CodecError);
  expect(() => encode(cstring(4), 'a\0b')).toThrow(CodecError);
  expect(encode(cstring(4), 'ä')).toEqual(Uint8Array.of(0xc3, 0xa4, 0, 0));
});

const message = struct('message', [
  ['kind', u8],
  ['id', u64be],
  ['key', bytes(3)],
  ['text', prefixedText(u8, 200)],
  [
    'when',
    mapped(
      u32le,
      (raw) => new Date(raw * 1000),
      (date) => date.getTime() / 1000,
    ),
  ],
  [
    'points',
    listOf(
      u16be,
      struct('point', [
        ['x', i16le],
        ['y', u8],
      ]),
      100,
    ),
  ],
  ['body', rest],
]);

const anyMessage = fc.record({
  kind: fc.nat(255),
  id: fc.maxSafeNat(),
  key: fc.uint8Array({ minLength: 3, maxLength: 3 }),
  text: fc.string({ maxLength: 50 }),
  when: fc.nat().map((seconds) => new Date(seconds * 1000)),
  points: fc.array(fc.record({ x: fc.integer({ min: -32768, max: 32767 }), y: fc.nat(255) }), { maxLength: 100 }),
  body: fc.uint8Array(),
});

test('what is written is read again, at any offset', () => {
  fc.assert(
    fc.property(anyMessage, fc.nat(20), (value, offset) => {
      const target = new Uint8Array(offset + message.sizeOf(value));
      expect(message.write(value, target, offset)).toBe(target.length);
      expect(message.read(target, offset)).toEqual([value, target.length]);
    }),
  );
});

test('any bytes, or a message cut anywhere, give a value or one CodecError', () => {
  const orCodecError = (codec: Codec<unknown>, source: Uint8Array): void => {
    try {
      codec.read(source, 0);
    } catch (error) {
      expect(error).toBeInstanceOf(CodecError);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (source) => orCodecError(message, source)));
  fc.assert(
    fc.property(anyMessage, fc.nat(), (value, cut) => {
      const whole = encode(message, value);
      orCodecError(message, whole.subarray(0, cut % (whole.length + 1)));
    }),
  );
});

test('bytes are views of the input, not copies', () => {
  const source = Uint8Array.of(1, 2, 3);
  source[0] = 9;
  expect(decode(bytes(2), source).buffer).toBe(source.buffer);
});
