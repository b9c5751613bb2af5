import type { Action, ConnectionId } from '../../event.ts';
import type { Throttle } from '../../shares/throttle.ts';
import { LAST_PIECE, type Peer, PIECE_BYTES } from '../../wire/frame.ts';

/** Indexes on their way at once. In a crowd of beginners the next ones are pointed at those who are getting one. */
const AT_ONCE = 3;
/** Who has not shown within that time that it has its index no longer counts. */
const PATIENCE_MS = 1500;
/** Beginners pointed at one who is getting the index. */
const WIDTH = 3;
/** Pieces that the limit holds back: who asked for one more asks again. */
const HELD_BACK = 256;
const HELD_BACK_OF_ONE = 16;
const HELD_BACK_MS = 200;

interface Getter extends Peer {
  readonly at: number;
  pointed: number;
}

/** Gives the chunk index to beginners: a few at a time, each of whom passes it on. */
export class IndexSpreader {
  readonly #getting = new Map<ConnectionId, Getter>();
  /** Who asked before we had it ourselves. */
  readonly #waiting = new Map<ConnectionId, Peer>();
  /** What the limit on what is sent holds back. */
  #heldBack: { readonly conn: ConnectionId; readonly piece: number }[] = [];
  readonly #limit: Throttle;

  readonly #indexBytes: () => number;

  /** @param limit what may go to all peers together @param indexBytes size of the index, once it is known */
  constructor(limit: Throttle, indexBytes: () => number) {
    this.#limit = limit;
    this.#indexBytes = indexBytes;
  }

  /** A piece other than the first that is asked for: who asks for it is getting the index from us. */
  askMore(conn: ConnectionId, peer: Peer, piece: number, now: number, out: Action[]): void {
    this.#getting.set(conn, { pointed: 0, ...this.#getting.get(conn), ...peer, at: now });
    this.#send(conn, piece, now, out);
  }

  /** A beginner asks; `isKnown`: whether we have the index. */
  ask(conn: ConnectionId, peer: Peer, isKnown: boolean, now: number, out: Action[]): void {
    if (!isKnown) {
      this.#waiting.set(conn, peer);
      return;
    }
    for (const [other, { at }] of this.#getting) if (now - at > PATIENCE_MS) this.#getting.delete(other);
    if (this.#getting.size < AT_ONCE || this.#getting.has(conn)) this.#give(conn, peer, now, out);
    else {
      const others = [...this.#getting.values()].sort((a, b) => a.pointed - b.pointed);
      const [first] = others;
      if (first === undefined || first.pointed >= WIDTH) this.#give(conn, peer, now, out);
      else {
        first.pointed++;
        out.push({ kind: 'frame', conn, frame: { kind: 'index at', others: [first] } });
      }
    }
  }

  /** We have the index now: so do those who waited for it, one after the other. */
  known(now: number, out: Action[]): void {
    for (const [conn, peer] of this.#waiting) this.ask(conn, peer, true, now, out);
    this.#waiting.clear();
  }

  /** A beginner shows that it has its index, or is gone. */
  done(conn: ConnectionId): void {
    this.#getting.delete(conn);
    this.#waiting.delete(conn);
  }

  /** The connection is gone. */
  closed(conn: ConnectionId): void {
    this.done(conn);
    this.#heldBack = this.#heldBack.filter((held) => held.conn !== conn);
  }

  /** When the limit lets the next piece go; Infinity when none waits. */
  nextAt(now: number): number {
    if (this.#heldBack.length === 0) return Number.POSITIVE_INFINITY;
    return Math.min(this.#limit.opensAt('read', 0, now), now + HELD_BACK_MS);
  }

  /** Gives what the limit held back, as far as it lets it go now. */
  pump(now: number, out: Action[]): void {
    while (this.#heldBack.length > 0 && this.#limit.isOpen('read', 0, now)) {
      const next = this.#heldBack.shift();
      if (next === undefined) return;
      this.#limit.took(Math.min(PIECE_BYTES, this.#indexBytes()), now);
      out.push({ kind: 'give index', ...next });
    }
  }

  #send(conn: ConnectionId, piece: number, now: number, out: Action[]): void {
    const own = this.#heldBack.filter((held) => held.conn === conn);
    if (own.some((held) => held.piece === piece) || own.length >= HELD_BACK_OF_ONE) return;
    if (this.#heldBack.length >= HELD_BACK) return;
    this.#heldBack.push({ conn, piece });
    this.pump(now, out);
  }

  #give(conn: ConnectionId, { node, address }: Peer, at: number, out: Action[]): void {
    this.#getting.set(conn, { node, address, at, pointed: 0 });
    this.#send(conn, LAST_PIECE, at, out);
  }
}
