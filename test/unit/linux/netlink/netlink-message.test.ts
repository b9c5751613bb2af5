import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodecError } from '../../../../src/codec/struct.ts';
import {
  AttributeReader,
  attribute,
  decodeAttributes,
  decodeErrno,
  decodeMessages,
  encodeAttributes,
  encodeMessage,
  NLMSG,
} from '../../../../src/linux/netlink/netlink-message.ts';

const message = fc.record({
  type: fc.nat(65535),
  flags: fc.nat(65535),
  sequence: fc.nat(),
  payload: fc.uint8Array({ maxLength: 50 }),
});

test('a datagram of several messages is read as written', () => {
  fc.assert(
    fc.property(fc.array(message), (messages) => {
      const bytes = Uint8Array.from(Buffer.concat(messages.map(encodeMessage)));
      expect(decodeMessages(bytes)).toEqual(messages);
    }),
  );
});

test('attributes are read as written, several of one type in order', () => {
  const any = fc.record({ type: fc.nat(0x3fff), value: fc.uint8Array({ maxLength: 20 }) });
  fc.assert(
    fc.property(fc.array(any), (attributes) => {
      expect(decodeAttributes(encodeAttributes(attributes))).toEqual(attributes);
    }),
  );
});

test('each kind of value has its bytes and comes back', () => {
  const reader = new AttributeReader(
    encodeAttributes([
      attribute.u8(1, 200),
      attribute.u16(2, 65000),
      attribute.u32(3, 4_000_000_000),
      attribute.u64(4, Number.MAX_SAFE_INTEGER),
      attribute.text(5, 'nbd'),
      attribute.nested(6, [attribute.u32(1, 7)]),
      attribute.nested(7, [attribute.nested(1, [attribute.u32(1, 8)]), attribute.nested(1, [attribute.u32(1, 9)])]),
      attribute.u16be(8, 0x1234),
    ]),
  );
  expect(reader.u8(1)).toBe(200);
  expect(reader.u16(2)).toBe(65000);
  expect(reader.u32(3)).toBe(4_000_000_000);
  expect(reader.u64(4)).toBe(Number.MAX_SAFE_INTEGER);
  expect(reader.text(5)).toBe('nbd');
  expect(reader.nested(6)?.u32(1)).toBe(7);
  expect(reader.list(7).map((element) => element.u32(1))).toEqual([8, 9]);
  expect(reader.bytes(8)).toEqual(Uint8Array.of(0x12, 0x34));
  expect(reader.u32(99)).toBeUndefined();
  expect(reader.list(99)).toEqual([]);
});

test('a value too short for its kind is a codec error', () => {
  const reader = new AttributeReader(encodeAttributes([attribute.u8(1, 1)]));
  expect(() => reader.u32(1)).toThrow(CodecError);
});

test('errors carry a positive errno, acknowledgements 0', () => {
  const of = (type: number, ...payload: number[]) =>
    decodeErrno({ type, flags: 0, sequence: 0, payload: Uint8Array.from(payload) });
  expect(of(NLMSG.ERROR, 0xea, 0xff, 0xff, 0xff)).toBe(22);
  expect(of(NLMSG.ERROR, 0, 0, 0, 0)).toBe(0);
  expect(of(NLMSG.DONE)).toBe(0);
});

test('any bytes are messages and attributes, or a codec error', () => {
  for (const read of [decodeMessages, decodeAttributes]) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }),
    );
  }
  const lengths = fc.constantFrom(0, 1, 3, 4, 15, 16, 17, 255);
  fc.assert(
    fc.property(lengths, fc.nat(40), (length, size) => {
      const bytes = new Uint8Array(size);
      bytes[0] = length;
      for (const read of [decodeMessages, decodeAttributes]) {
        if (size > 0 && (length > size || length < 4)) expect(() => read(bytes)).toThrow(CodecError);
      }
    }),
  );
});
