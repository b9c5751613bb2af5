import type { Action, ConnectionId } from '../../event.ts';
import { LAST_PIECE } from '../../wire/frame.ts';

/** Who was asked for a piece must have sent it by then, and who pointed us elsewhere is asked again. */
const DEADLINE_MS = 10_000;
const AGAIN_MS = 1500;
/** Pieces on order at one source. */
const AT_ONCE = 2;

/** Whom a node without an index has asked for which pieces of it. */
export class IndexSeeker {
  /** The last piece first: what it ends in is known. */
  #wanted: readonly number[] = [LAST_PIECE];
  readonly #asked = new Map<ConnectionId, Map<number, number>>();
  #againAt = 0;

  get isWaiting(): boolean {
    return this.#asked.size > 0;
  }

  /** Has one source give what is wanted next and nobody else was asked for; of a lone piece every source is asked. */
  ask(conn: ConnectionId, now: number, out: Action[]): void {
    const own = this.#asked.get(conn) ?? new Map<number, number>();
    for (const piece of this.#wanted) {
      if (own.size >= AT_ONCE) break;
      if (own.has(piece) || (this.#wanted.length > 1 && this.#isAsked(piece))) continue;
      own.set(piece, now);
      out.push({ kind: 'frame', conn, frame: { kind: 'get index', piece } });
    }
    if (own.size > 0) this.#asked.set(conn, own);
  }

  /** A piece has come. False when nobody asked this source for it. */
  arrived(conn: ConnectionId, piece: number, wanted: readonly number[], now: number, out: Action[]): boolean {
    const own = this.#asked.get(conn);
    const isAsked = own !== undefined && (own.delete(piece) || own.delete(LAST_PIECE));
    if (own?.size === 0) this.#asked.delete(conn);
    this.#wanted = wanted;
    if (isAsked) this.ask(conn, now, out);
    return isAsked;
  }

  /** It has pointed us elsewhere, or is gone. */
  done(conn: ConnectionId): void {
    this.#asked.delete(conn);
  }

  /** The index is here. */
  found(): void {
    this.#asked.clear();
  }

  /** From time to time, while there is no index. */
  again(connected: readonly { readonly conn: ConnectionId }[], now: number, out: Action[]): void {
    for (const [conn, pieces] of this.#asked) {
      for (const at of pieces.values()) {
        if (now - at <= DEADLINE_MS) continue;
        out.push({ kind: 'close', conn, why: 'gave no index' });
        break;
      }
    }
    if (now < this.#againAt) return;
    this.#againAt = now + AGAIN_MS;
    for (const { conn } of connected) this.ask(conn, now, out);
  }

  #isAsked(piece: number): boolean {
    for (const pieces of this.#asked.values()) if (pieces.has(piece)) return true;
    return false;
  }
}
