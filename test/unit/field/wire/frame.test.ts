import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type ControlFrame,
  controlFrameSize,
  encodeControlFrame,
  encodeDataHeader,
  encodeIndexHeader,
  FrameDecoder,
  type FrameSink,
  type IndexPieceHead,
} from '../../../../src/field/wire/frame.ts';
import { anyFrame } from '../arbitrary.ts';

type Part =
  | { readonly control: ControlFrame }
  | { readonly chunk: number; readonly chosen: boolean; readonly bytes: Uint8Array }
  | { readonly head: IndexPieceHead; readonly index: Uint8Array };

const body = fc.uint8Array({ minLength: 1, maxLength: 300 });
const anyPart: fc.Arbitrary<Part> = fc.oneof(
  anyFrame.map((control) => ({ control })),
  fc.record({ chunk: fc.nat(), chosen: fc.boolean(), bytes: body }, { noNullPrototype: true }),
  fc
    .tuple(fc.nat(1022), fc.integer({ min: 1, max: 1 }), fc.uint8Array({ minLength: 32, maxLength: 32 }), body)
    .map(([piece, more, state, index]) => ({ head: { piece, pieces: piece + more, state }, index })),
);

function encodePart(part: Part): Uint8Array {
  if ('control' in part) return encodeControlFrame(part.control);
  if ('index' in part) return Buffer.concat([encodeIndexHeader(part.head, part.index.length), part.index]);
  return Buffer.concat([encodeDataHeader(part.chunk, part.chosen, part.bytes.length), part.bytes]);
}

/** Puts what comes out together again. */
function collector(): { parts: Part[]; sink: FrameSink } {
  const parts: Part[] = [];
  let open: { make: (bytes: Uint8Array) => Part; pieces: Uint8Array[] } | undefined;
  const sink: FrameSink = {
    control: (control) => void parts.push({ control }),
    dataStart: (chunk, chosen) => {
      open = { make: (bytes) => ({ chunk, chosen, bytes }), pieces: [] };
    },
    indexStart: (head) => {
      open = { make: (index) => ({ head, index }), pieces: [] };
    },
    body: (piece) => void open?.pieces.push(piece.slice()),
    bodyEnd: () => {
      if (open !== undefined) parts.push(open.make(new Uint8Array(Buffer.concat(open.pieces))));
      open = undefined;
    },
  };
  return { parts, sink };
}

test('however a stream is cut into packets, the same frames come out', () => {
  fc.assert(
    fc.property(fc.array(anyPart, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 90 })), (parts, cuts) => {
      const stream = Buffer.concat(parts.map(encodePart));
      const { parts: found, sink } = collector();
      const decoder = new FrameDecoder(sink);
      let at = 0;
      for (let i = 0; at < stream.length; i++) {
        const length = cuts.length === 0 ? stream.length : (cuts[i % cuts.length] as number);
        decoder.push(stream.subarray(at, at + length));
        at += length;
      }
      expect(found).toEqual(structuredClone(parts));
      expect(decoder.bodyLeft).toBe(0);
    }),
  );
});

test('a control frame takes the bytes it says', () => {
  fc.assert(
    fc.property(anyFrame, (frame) => {
      expect(encodeControlFrame(frame).length).toBe(controlFrameSize(frame));
    }),
  );
});

test('any bytes are frames or an error, and nothing is gathered for a length that is out of bounds', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const decoder = new FrameDecoder(collector().sink);
      try {
        decoder.push(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
    { numRuns: 2000 },
  );
  const huge = new FrameDecoder(collector().sink);
  expect(() => huge.push(Uint8Array.of(0x7f, 255, 255, 255, 2))).toThrow("'get' frame of 2147483647 bytes");
});
