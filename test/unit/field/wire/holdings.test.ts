import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodecError, decode, encode } from '../../../../src/codec/struct.ts';
import { ChunkSet } from '../../../../src/field/wire/chunk-set.ts';
import { heldRanges, holdingsCodec, holds, packHoldings, unpackInto } from '../../../../src/field/wire/holdings.ts';
import { rangesCodec, toRanges } from '../../../../src/field/wire/ranges.ts';
import { anyHoldings, anyRanges } from '../arbitrary.ts';

test('packed holdings say of every chunk what the set said', () => {
  const inputs = fc.tuple(fc.nat(300), fc.nat(300), fc.uniqueArray(fc.nat(600)));
  fc.assert(
    fc.property(inputs, ([start, size, chunks]) => {
      const set = new ChunkSet(601);
      for (const chunk of chunks) set.add(chunk);
      const holdings = packHoldings(set, { start, end: start + size });
      const expected = chunks.filter((chunk) => chunk >= start && chunk < start + size).sort((a, b) => a - b);
      expect(toRanges(expected)).toEqual([...heldRanges(holdings)]);
      expect(holdings.count).toBe(expected.length);
      for (let chunk = 0; chunk < 601; chunk++) expect(holds(holdings, chunk)).toBe(expected.includes(chunk));
      const back = new ChunkSet(601);
      unpackInto(holdings, back);
      expect([...back]).toEqual(expected);
      // Never longer than one bit a chunk and a few bytes around it.
      expect(encode(holdingsCodec, holdings).length).toBeLessThanOrEqual(Math.ceil(size / 8) + 8);
    }),
  );
});

test('holdings and ranges are read back as they were written', () => {
  fc.assert(
    fc.property(anyHoldings, (holdings) => {
      expect(decode(holdingsCodec, encode(holdingsCodec, holdings))).toEqual(holdings);
    }),
  );
  fc.assert(
    fc.property(anyRanges, (ranges) => {
      expect(decode(rangesCodec, encode(rangesCodec, ranges))).toEqual(ranges);
    }),
  );
});

test('any bytes are holdings or a CodecError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const codec of [holdingsCodec, rangesCodec]) {
        try {
          decode<unknown>(codec, bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('runs that leave their window, and windows too large to believe, are refused', () => {
  expect(() => decode(holdingsCodec, Uint8Array.of(0, 10, 2, 2, 5, 6))).toThrow('runs leave the window');
  expect(() => decode(holdingsCodec, Uint8Array.of(0, 10, 3, 0, 255))).toThrow('bits behind the window');
  expect(() => decode(holdingsCodec, Uint8Array.of(0, 255, 255, 255, 127, 1))).toThrow('window');
});
