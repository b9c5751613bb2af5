import { type ChunkIndex, verifyIndex } from '../../image/chunk-index.ts';
import { LAST_PIECE } from '../wire/frame.ts';
import { type IndexPiece, IndexPieces } from './index-pieces.ts';
import { IndexTaker } from './index-taker.ts';

/** What became of a piece that came. */
export interface PieceTaken {
  readonly good: boolean;
  /** The pieces that are still missing, the next ones first. */
  readonly wanted: readonly number[];
  /** The whole index, when this piece was the last one missing. */
  readonly index: ChunkIndex | undefined;
}

/** The index of one image: put together from what peers give, and given to peers in pieces. */
export class IndexDesk {
  readonly #id: string;
  #taker: IndexTaker | undefined;
  #pieces: IndexPieces | undefined;

  /** @param id image id, 64 hex digits */
  constructor(id: string) {
    this.#id = id;
    this.#taker = new IndexTaker(id);
  }

  /** It is known, wherever it came from. */
  know(index: ChunkIndex): void {
    this.#pieces = new IndexPieces(index);
    // What it was put together from is not needed any more.
    this.#taker = undefined;
  }

  take(piece: IndexPiece): PieceTaken {
    const taker = this.#taker;
    if (taker === undefined) return { good: true, wanted: [], index: undefined };
    const good = taker.take(piece) === 'good';
    const wanted = taker.wanted() ?? [LAST_PIECE];
    return { good, wanted, index: taker.isWhole ? verifyIndex(taker.bytes(), this.#id) : undefined };
  }

  /** Gives a piece to whoever can take it by then. @param wanted its number; any above the last one: the last */
  async give(wanted: number, mayTake: () => boolean, take: (piece: IndexPiece) => void): Promise<void> {
    await this.#pieces?.give(wanted, mayTake, take);
  }
}
