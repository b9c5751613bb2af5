import type { Action, ConnectionId } from '../event.ts';
import { LAST_PIECE, type Peer } from '../wire/frame.ts';

/** Indexes on their way at once. In a crowd of beginners the next ones are pointed at those who are getting one. */
const AT_ONCE = 3;
/** Who has not shown within that time that it has its index no longer counts. */
const PATIENCE_MS = 1500;
/** Beginners pointed at one who is getting the index. */
const WIDTH = 3;

interface Getter extends Peer {
  readonly at: number;
  pointed: number;
}

/** Gives the chunk index to beginners: a few at a time, each of whom passes it on. */
export class IndexSpreader {
  readonly #getting = new Map<ConnectionId, Getter>();
  /** Who asked before we had it ourselves. */
  readonly #waiting = new Map<ConnectionId, Peer>();

  /** A piece other than the first that is asked for: who asks for it is getting the index from us. */
  askMore(conn: ConnectionId, peer: Peer, piece: number, now: number, out: Action[]): void {
    this.#getting.set(conn, { pointed: 0, ...this.#getting.get(conn), ...peer, at: now });
    out.push({ kind: 'give index', conn, piece });
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

  #give(conn: ConnectionId, { node, address }: Peer, at: number, out: Action[]): void {
    this.#getting.set(conn, { node, address, at, pointed: 0 });
    out.push({ kind: 'give index', conn, piece: LAST_PIECE });
  }
}
