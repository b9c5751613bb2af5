import type { Action, ConnectionId } from '../event.ts';

/** Who was asked for the index must have begun to send it by then, and who pointed us elsewhere is asked again. */
const DEADLINE_MS = 5000;
const AGAIN_MS = 1500;

/** Whom a node without an index has asked for it. */
export class IndexSeeker {
  readonly #asked = new Map<ConnectionId, number>();
  #againAt = 0;

  get isWaiting(): boolean {
    return this.#asked.size > 0;
  }

  ask(conn: ConnectionId, now: number, out: Action[]): void {
    this.#asked.set(conn, now);
    out.push({ kind: 'frame', conn, frame: { kind: 'get index' } });
  }

  /** It has answered, pointed us elsewhere, or is gone. */
  done(conn: ConnectionId): void {
    this.#asked.delete(conn);
  }

  /** The index is here. */
  found(): void {
    this.#asked.clear();
  }

  /** From time to time, while there is no index. */
  again(connected: readonly { readonly conn: ConnectionId }[], now: number, out: Action[]): void {
    for (const [conn, at] of this.#asked) {
      if (now - at > DEADLINE_MS) out.push({ kind: 'close', conn, why: 'gave no index' });
    }
    if (now < this.#againAt) return;
    this.#againAt = now + AGAIN_MS;
    for (const { conn } of connected) if (!this.#asked.has(conn)) this.ask(conn, now, out);
  }
}
