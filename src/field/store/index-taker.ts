import { hash } from 'node:crypto';
import { PIECE_BYTES } from '../wire/frame.ts';
import type { IndexPiece } from './index-pieces.ts';
import { FIRST_STATE, finish, isSameState, stateOf, takeBlocks } from './sha256-chain.ts';

/** Pieces that may be here before they can be proven, because one behind them is still missing. */
const AHEAD = 8;

export type Taken =
  /** It is what the id says, or will be found out when those behind it are here. */
  'good' | 'false';

/**
 * Puts an index together from its pieces, whoever they come from. They are proven from the last one on: its end is the
 * image's id, and the state before each piece is the end of the one before it. So no more than a few pieces are ever
 * here that somebody may have made up.
 */
export class IndexTaker {
  /** What the next piece to be proven must end in. */
  #end: Uint32Array;
  /** Number of the next piece to be proven; undefined before the last one has come, -1 after the first. */
  #next: number | undefined;
  readonly #proven: Uint8Array[] = [];
  readonly #waiting = new Map<number, IndexPiece>();

  /** @param id 64 hex digits */
  constructor(id: string) {
    this.#end = stateOf(Buffer.from(id, 'hex'));
  }

  get isWhole(): boolean {
    return this.#next === -1;
  }

  /** The pieces to ask for, the most wanted first; undefined: the last one, whatever its number is. */
  wanted(): readonly number[] | undefined {
    if (this.#next === undefined) return undefined;
    const pieces = Array.from({ length: Math.min(AHEAD, this.#next + 1) }, (_, i) => (this.#next ?? 0) - i);
    return pieces.filter((piece) => !this.#waiting.has(piece));
  }

  take(piece: IndexPiece): Taken {
    const expected = this.#next ?? piece.pieces - 1;
    if (piece.piece > expected) return 'good';
    if (this.#next === undefined && piece.piece !== piece.pieces - 1) return 'false';
    if (piece.piece < expected) {
      if (expected - piece.piece < AHEAD) this.#waiting.set(piece.piece, piece);
      return 'good';
    }
    if (!this.#prove(piece)) return 'false';
    for (;;) {
      const next = this.#waiting.get(this.#next ?? -1);
      if (next === undefined) return 'good';
      this.#waiting.delete(next.piece);
      // Who made it up is not here any more to be told: it is asked for again.
      if (!this.#prove(next)) return 'good';
    }
  }

  /** The whole file. */
  bytes(): Uint8Array {
    return Buffer.concat(this.#proven.toReversed());
  }

  #prove({ piece, pieces, state, bytes }: IndexPiece): boolean {
    const before = stateOf(state);
    const isLast = this.#next === undefined;
    if (!isLast && bytes.length !== PIECE_BYTES) return false;
    if (piece === 0 && !isSameState(before, FIRST_STATE)) return false;
    let end: Uint32Array = Uint32Array.from(before);
    if (pieces === 1) {
      // A boot waits for this, and OpenSSL is faster than the chain by far.
      end = stateOf(hash('sha256', bytes, 'buffer'));
    } else if (isLast) {
      const whole = bytes.length - (bytes.length % 64);
      takeBlocks(end, bytes.subarray(0, whole));
      end = Uint32Array.from(finish(end, bytes.subarray(whole), (pieces - 1) * PIECE_BYTES + bytes.length));
    } else takeBlocks(end, bytes);
    if (!isSameState(end, this.#end)) return false;
    this.#end = before;
    this.#next = piece - 1;
    this.#proven.push(bytes);
    return true;
  }
}
