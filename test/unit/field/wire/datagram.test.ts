import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodecError } from '../../../../src/codec/struct.ts';
import { datagramSize, decodeDatagram, encodeDatagram } from '../../../../src/field/wire/datagram.ts';
import { anyDatagram } from '../arbitrary.ts';

test('a datagram is read back as it was written, and takes the bytes it says', () => {
  fc.assert(
    fc.property(anyDatagram, (datagram) => {
      const bytes = encodeDatagram(datagram);
      expect(bytes.length).toBe(datagramSize(datagram));
      expect(decodeDatagram(bytes)).toEqual(structuredClone(datagram));
    }),
  );
});

function expectSoundOrRefused(bytes: Uint8Array): void {
  try {
    decodeDatagram(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
  }
}

test('any bytes are a datagram or a CodecError, never anything else', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), expectSoundOrRefused), { numRuns: 1000 });
});

test('a datagram spoilt in any place or cut anywhere is another datagram or a CodecError', () => {
  fc.assert(
    fc.property(anyDatagram, fc.nat(), fc.nat(255), fc.nat(), (datagram, at, value, cut) => {
      const bytes = encodeDatagram(datagram);
      const spoilt = bytes.slice();
      spoilt[at % bytes.length] = value;
      expectSoundOrRefused(spoilt);
      expectSoundOrRefused(bytes.subarray(0, cut % bytes.length));
    }),
    { numRuns: 1000 },
  );
});

test('a section of a later version is skipped, one that stands twice is not', () => {
  const bytes = encodeDatagram({ kind: 'find', field: '0011223344556677', sender: 1, chunks: 2, question: 3 });
  const later = Buffer.concat([bytes, Uint8Array.of(200, 0, 2, 9, 9)]);
  expect(decodeDatagram(later).question).toBe(3);
  const twice = Buffer.concat([bytes, bytes.subarray(22)]);
  expect(() => decodeDatagram(twice)).toThrow('stands twice');
});
