import type { ChunkIndex } from '../../image/chunk-index.ts';
import type { ConnectionId } from '../event.ts';
import type { ChunkHolder } from '../store/chunk-holder.ts';
import type { IndexPiece } from '../store/index-pieces.ts';
import { isChunk } from '../store/verify.ts';
import type { FrameSink, IndexPieceHead } from '../wire/frame.ts';

/** A chunk that is coming in. */
interface Incoming {
  readonly chunk: number;
  readonly bytes: Uint8Array;
  /** It lies where it will stay. */
  readonly isPlaced: boolean;
  filled: number;
  /** Its place has been filled by another: the bytes that still come are let pass. */
  isLate: boolean;
}

export interface ReceiverLinks {
  readonly index: () => ChunkIndex | undefined;
  readonly holder: () => ChunkHolder | undefined;
  /** The index was here from the start: nobody was asked for it. */
  readonly hasIndex: boolean;
  readonly begun: (conn: ConnectionId, chunk: number, chosen: boolean) => void;
  /** `good`: it is what the index says. */
  readonly whole: (conn: ConnectionId, chunk: number, bytes: Uint8Array, good: boolean) => void;
  /** It came after another's: nobody can say any more whether it was good. `isHeld`: and nobody needs it. */
  readonly late: (conn: ConnectionId, chunk: number, isHeld: boolean) => void;
  /** Not verified. */
  readonly wholePiece: (conn: ConnectionId, piece: IndexPiece) => void;
}

/** What one connection's frames go into; `cut` when the connection ends in the middle of one. */
export type Receiving = Omit<FrameSink, 'control'> & { cut(): void };

/** Chunks and indexes as they come in, each chunk written straight to where it will stay. */
export class Receiver {
  readonly #links: ReceiverLinks;
  /** Chunks being received in their final place: a second copy of one of these goes elsewhere. */
  readonly #placing = new Set<number>();

  constructor(links: ReceiverLinks) {
    this.#links = links;
  }

  /** @param mayGive the other side was dialled: it is one that gives */
  receiving(conn: ConnectionId, mayGive: boolean): Receiving {
    const { index: indexOf, holder: holderOf, hasIndex, begun, wholePiece } = this.#links;
    let incoming: Incoming | undefined;
    // What had come with the frame that ended the connection is decoded all the same; it is nobody's any more.
    let isCut = false;
    let index: { readonly head: IndexPieceHead; readonly bytes: Uint8Array; filled: number } | undefined;
    return {
      dataStart: (chunk, chosen, length) => {
        if (isCut) return;
        const known = indexOf();
        if (!mayGive || known === undefined || chunk >= known.count || known.length(chunk) !== length) {
          throw new Error(`sent chunk ${chunk} of ${length} bytes, which is none that was asked for`);
        }
        incoming = this.#place(chunk, length);
        begun(conn, chunk, chosen);
      },
      indexStart: (head, length) => {
        if (isCut) return;
        // One may still come after all of it has been taken from others: it is let pass.
        if (!mayGive || hasIndex) throw new Error('sent an index that was not asked for');
        index = { head, bytes: new Uint8Array(length), filled: 0 };
      },
      body: (piece) => {
        if (incoming === undefined) {
          index?.bytes.set(piece, index.filled);
          if (index !== undefined) index.filled += piece.length;
          return;
        }
        // Another source was sooner: what lies in this place has been verified, and this one may be a liar.
        if (incoming.isPlaced && holderOf()?.memory.has(incoming.chunk) === true) incoming.isLate = true;
        if (!incoming.isLate) incoming.bytes.set(piece, incoming.filled);
        incoming.filled += piece.length;
      },
      bodyEnd: () => {
        if (incoming !== undefined) {
          const whole = incoming;
          incoming = undefined;
          this.#end(conn, whole);
        } else if (index !== undefined) {
          const { head, bytes } = index;
          index = undefined;
          wholePiece(conn, { ...head, bytes });
        }
      },
      cut: () => {
        if (incoming?.isPlaced === true) this.#placing.delete(incoming.chunk);
        incoming = undefined;
        index = undefined;
        isCut = true;
      },
    };
  }

  #place(chunk: number, length: number): Incoming {
    const memory = this.#links.holder()?.memory;
    const isPlaced = !this.#placing.has(chunk) && memory?.has(chunk) === false;
    const bytes = isPlaced ? memory.target(chunk) : Buffer.allocUnsafeSlow(length);
    if (isPlaced) this.#placing.add(chunk);
    return { chunk, bytes, isPlaced, filled: 0, isLate: false };
  }

  #end(conn: ConnectionId, { chunk, bytes, isPlaced, isLate }: Incoming): void {
    const { index: indexOf, holder: holderOf, whole, late } = this.#links;
    if (isPlaced) this.#placing.delete(chunk);
    const index = indexOf();
    if (index === undefined) return;
    if (isLate) late(conn, chunk, holderOf()?.memory.has(chunk) === true);
    else whole(conn, chunk, bytes, isChunk(index, chunk, bytes));
  }
}
