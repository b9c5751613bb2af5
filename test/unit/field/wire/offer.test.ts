import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeOffer, decodeSeek, encodeOffer, encodeSeek, isOffer } from '../../../../src/field/wire/offer.ts';

const anyOffer = fc.record(
  {
    number: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    node: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    sizeBytes: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    name: fc.string({ maxLength: 100 }).filter((text) => Buffer.byteLength(text) <= 128),
  },
  { noNullPrototype: true },
);

test('an offer is read as it was written, and is never longer than a seek', () => {
  fc.assert(
    fc.property(anyOffer, (offer) => {
      const bytes = encodeOffer(offer);
      expect(decodeOffer(bytes)).toEqual(offer);
      expect(isOffer(bytes)).toBe(true);
      expect(isOffer(encodeSeek(offer.number))).toBe(false);
      expect(bytes.length).toBeLessThanOrEqual(encodeSeek(1).length);
    }),
  );
});

test('a name that is too long is left out for the id', () => {
  const id = 'ab'.repeat(32);
  expect(decodeOffer(encodeOffer({ number: 1, node: 2, id, sizeBytes: 3, name: 'x'.repeat(200) })).name).toBe(
    id.slice(0, 12),
  );
});

test('a seek that is cut short is none: nobody is sent more than he sent', () => {
  expect(decodeSeek(encodeSeek(7))).toBe(7);
  expect(decodeSeek(encodeSeek(7).subarray(0, 100))).toBeUndefined();
});

test('any bytes are a seek, an offer, or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      decodeSeek(bytes);
      isOffer(bytes);
      try {
        decodeOffer(bytes);
      } catch (error) {
        expect((error as Error).name).toBe('CodecError');
      }
    }),
  );
});
