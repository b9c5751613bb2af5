import { type ChunkIndex, verifyIndex } from '../../image/chunk-index.ts';
import { LAST_PIECE } from '../wire/frame.ts';
import { type IndexPiece, IndexPieces } from './index-pieces.ts';
import { IndexTaker } from './index-taker.ts';
import type { PaperBox } from './paper-box.ts';

/** What became of a piece that came. */
export interface PieceTaken {
  readonly good: boolean;
  /** The pieces that are still missing, the next ones first. */
  readonly wanted: readonly number[];
  /** The whole index, when this piece was the last one missing and the image may be used. */
  readonly index: ChunkIndex | undefined;
}

/** The index of one image: put together from what peers give, and given to peers in pieces. */
export class IndexDesk {
  readonly #id: string;
  #taker: IndexTaker | undefined;
  #pieces: IndexPieces | undefined;
  readonly #papers: PaperBox;
  /** Whole, and without a signature so far. */
  #unsigned: ChunkIndex | undefined;

  /** @param id image id, 64 hex digits @param papers says whether an image that comes from others may be used */
  constructor(id: string, papers: PaperBox) {
    this.#id = id;
    this.#papers = papers;
    this.#taker = new IndexTaker(id);
  }

  /** It is known, wherever it came from. */
  know(index: ChunkIndex): void {
    this.#pieces = new IndexPieces(index);
    // What it was put together from is not needed any more.
    this.#taker = undefined;
    this.#unsigned = undefined;
  }

  /** There is none yet, not even one without a signature. */
  get isWanting(): boolean {
    return this.#taker !== undefined && this.#unsigned === undefined;
  }

  /** All of it came at once, with the id that it must have. @returns it, when it may be used */
  bring(index: ChunkIndex): ChunkIndex | undefined {
    this.#unsigned ??= index;
    return this.#admitted();
  }

  take(piece: IndexPiece): PieceTaken {
    const taker = this.#taker;
    if (taker === undefined) return { good: true, wanted: [], index: undefined };
    const good = taker.take(piece) === 'good';
    const wanted = taker.wanted() ?? [LAST_PIECE];
    if (taker.isWhole) this.#unsigned ??= verifyIndex(taker.bytes(), this.#id);
    return { good, wanted, index: this.#admitted() };
  }

  /** Another paper has come. @returns the index, when that was what it lacked */
  signed(): ChunkIndex | undefined {
    return this.#taker === undefined ? undefined : this.#admitted();
  }

  #admitted(): ChunkIndex | undefined {
    const index = this.#unsigned;
    return index !== undefined && this.#papers.admits(index) ? index : undefined;
  }

  /** Gives a piece to whoever can take it by then. @param wanted its number; any above the last one: the last */
  async give(wanted: number, mayTake: () => boolean, take: (piece: IndexPiece) => void): Promise<void> {
    await this.#pieces?.give(wanted, mayTake, take);
  }
}
