import { type ChunkIndex, chunkIndexFileSize, encodeIndexPart } from '../../image/chunk-index.ts';
import { PIECE_BYTES } from '../wire/frame.ts';
import { FIRST_STATE, stateBytes, takeBlocks } from './sha256-chain.ts';

export interface IndexPiece {
  readonly piece: number;
  readonly pieces: number;
  /** SHA-256's state before it. */
  readonly state: Uint8Array;
  readonly bytes: Uint8Array;
}

/** The index file as others are given it: piece by piece, made when asked for, each with what proves it. */
export class IndexPieces {
  readonly #index: ChunkIndex;
  readonly #size: number;
  #states: Promise<readonly Uint8Array[]> | undefined;

  constructor(index: ChunkIndex) {
    this.#index = index;
    this.#size = chunkIndexFileSize(index.count);
  }

  get count(): number {
    return Math.ceil(this.#size / PIECE_BYTES);
  }

  /** Gives a piece to whoever can take it by then. @param wanted its number; any above the last one: the last */
  async give(wanted: number, mayTake: () => boolean, take: (piece: IndexPiece) => void): Promise<void> {
    const piece = Math.min(wanted, this.count - 1);
    this.#states ??= this.#chain();
    const states = await this.#states;
    if (mayTake()) {
      take({ piece, pieces: this.count, state: states[piece] as Uint8Array, bytes: this.#bytes(piece) });
    }
  }

  #bytes(piece: number): Uint8Array {
    const start = piece * PIECE_BYTES;
    return encodeIndexPart(this.#index, start, Math.min(start + PIECE_BYTES, this.#size));
  }

  /** The state before each piece; others have their turn after each. */
  async #chain(): Promise<readonly Uint8Array[]> {
    const state = Uint32Array.from(FIRST_STATE);
    const states = [stateBytes(state)];
    for (let piece = 0; piece < this.count - 1; piece++) {
      takeBlocks(state, this.#bytes(piece));
      states.push(stateBytes(state));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return states;
  }
}
