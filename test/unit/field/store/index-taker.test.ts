import { hash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type IndexPiece, IndexPieces } from '../../../../src/field/store/index-pieces.ts';
import { IndexTaker } from '../../../../src/field/store/index-taker.ts';
import { FIRST_STATE, finish, stateBytes, takeBlocks } from '../../../../src/field/store/sha256-chain.ts';
import { LAST_PIECE, PIECE_BYTES } from '../../../../src/field/wire/frame.ts';
import {
  type ChunkIndex,
  chunkIndexFileSize,
  createChunkIndex,
  encodeChunkIndex,
  encodeIndexPart,
} from '../../../../src/image/chunk-index.ts';

const COUNT = 30_000;
const indexOf = (count: number): ChunkIndex =>
  createChunkIndex(
    Float64Array.from({ length: count }, (_, i) => (i + 1) * 100),
    randomBytes(count * 32),
  );
const index = indexOf(COUNT);

test('the chain ends in SHA-256, whatever is hashed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const state = Uint32Array.from(FIRST_STATE);
      const whole = bytes.length - (bytes.length % 64);
      takeBlocks(state, bytes.subarray(0, whole));
      const end = finish(state, bytes.subarray(whole), bytes.length);
      expect(Buffer.from(stateBytes(end)).toString('hex')).toBe(hash('sha256', bytes));
    }),
  );
});

test('any part of an index file is that part of the whole', () => {
  const small = createChunkIndex(Float64Array.of(5, 9, 30), randomBytes(96));
  const whole = Buffer.from(encodeChunkIndex(small));
  const size = chunkIndexFileSize(3);
  fc.assert(
    fc.property(fc.nat(size), fc.nat(size), (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)];
      expect(Buffer.compare(encodeIndexPart(small, start, end), whole.subarray(start, end))).toBe(0);
    }),
    { examples: [[size, size]] },
  );
});

async function pieceOf(pieces: IndexPieces, wanted: number): Promise<IndexPiece> {
  return new Promise((resolve) => {
    void pieces.give(wanted, () => true, resolve);
  });
}

async function collect(
  pieces: IndexPieces,
  taker: IndexTaker,
  spoil = (piece: IndexPiece) => piece,
): Promise<string[]> {
  const taken: string[] = [];
  for (let rounds = 0; !taker.isWhole && rounds < 50; rounds++) {
    const [next] = taker.wanted() ?? [LAST_PIECE];
    taken.push(taker.take(spoil(await pieceOf(pieces, next as number))));
  }
  return taken;
}

test('an index of one piece is there with it', async () => {
  const small = indexOf(1000);
  const taker = new IndexTaker(small.id);
  expect(await collect(new IndexPieces(small), taker)).toEqual(['good']);
  expect(Buffer.compare(taker.bytes(), encodeChunkIndex(small))).toBe(0);
});

test('an index comes together piece by piece, from the last to the first, in any order within a few', async () => {
  const pieces = new IndexPieces(index);
  expect(pieces.count).toBe(Math.ceil(chunkIndexFileSize(COUNT) / PIECE_BYTES));
  expect(pieces.count).toBeGreaterThan(3);
  const taker = new IndexTaker(index.id);
  await collect(pieces, taker);
  expect(Buffer.compare(taker.bytes(), encodeChunkIndex(index))).toBe(0);
  const other = new IndexTaker(index.id);
  expect(other.take(await pieceOf(pieces, LAST_PIECE))).toBe('good');
  for (const piece of [0, 2, 1, 3]) expect(other.take(await pieceOf(pieces, piece))).toBe('good');
  expect(other.isWhole).toBe(true);
  expect(Buffer.compare(other.bytes(), encodeChunkIndex(index))).toBe(0);
});

test.each([COUNT, 1000])(
  'the first piece of %i chunks that is made up is seen as such, whichever it is and whatever is changed',
  async (count) => {
    const index = indexOf(count);
    const pieces = new IndexPieces(index);
    for (let spoilt = 0; spoilt < pieces.count; spoilt++) {
      for (const change of [
        (piece: IndexPiece) => ({ ...piece, bytes: piece.bytes.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) }),
        (piece: IndexPiece) => ({ ...piece, state: piece.state.map((byte, i) => (i === 3 ? byte ^ 1 : byte)) }),
        (piece: IndexPiece) => ({ ...piece, bytes: piece.bytes.subarray(0, 100) }),
      ]) {
        const taker = new IndexTaker(index.id);
        const taken = await collect(pieces, taker, (piece) => (piece.piece === spoilt ? change(piece) : piece));
        expect(taken.indexOf('false')).toBe(pieces.count - 1 - spoilt);
        expect(taker.isWhole).toBe(false);
      }
    }
  },
);
