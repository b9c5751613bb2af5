import type { Action, ConnectionId } from '../../event.ts';
import { type BootOrder, faultOf, fittingOrder } from '../../wire/boot-order.ts';
import { PROFILE_WISH } from '../../wire/frame.ts';

/** A boot that is older reads what others did not, if anything. */
const SEEKING_MS = 60_000;
/** Sources that are asked, at most. */
const ASKED_LIMIT = 8;
/** Who asked before we had a profile gets it for so long. */
const WAITING_MS = 60_000;

/**
 * Boot profiles on their way between nodes. A source is asked once a connection, by a wish that nodes which know nothing
 * of profiles pass over; it answers when it has a profile of its own boot, or never. Nothing waits for it: reads go on.
 */
export class ProfileExchange {
  #own: BootOrder | undefined;
  #given: BootOrder | undefined;
  /** What others answered meanwhile: of use when the first proves wrong. */
  readonly #others: BootOrder[] = [];
  /** Clients that have asked, and when: each gets one answer. Infinity: it has had it. */
  readonly #clients = new Map<ConnectionId, number>();
  /** Sources that were asked and have not answered. */
  readonly #asked = new Set<ConnectionId>();
  #left = ASKED_LIMIT;
  #seekUntil = Number.NEGATIVE_INFINITY;

  /** What this node gives, or else was given; undefined: nothing yet. */
  get known(): BootOrder | undefined {
    return this.#own ?? this.#given;
  }

  /** This machine boots from the field and has no profile: every source is asked, those that are there first. */
  seek(connected: readonly { readonly conn: ConnectionId }[], now: number, out: Action[]): void {
    this.#seekUntil = now + SEEKING_MS;
    for (const { conn } of connected) this.connected(conn, now, out);
  }

  /** A source is there. */
  connected(conn: ConnectionId, now: number, out: Action[]): void {
    if (now >= this.#seekUntil || this.#left === 0 || this.#asked.has(conn)) return;
    this.#left--;
    this.#asked.add(conn);
    out.push({ kind: 'frame', conn, frame: PROFILE_WISH });
  }

  /** A source shows its profile. @returns the fault that it has, undefined: none @param chunks of the image */
  arrived(conn: ConnectionId, order: BootOrder, chunks: number, out: Action[]): string | undefined {
    if (!this.#asked.delete(conn)) return 'shows a profile that nobody asked to see';
    const fault = faultOf(order, chunks);
    if (fault !== undefined) return fault;
    this.#others.push(order);
    this.#seekUntil = Number.NEGATIVE_INFINITY;
    // The first good one is as good as any.
    if (this.#given === undefined) this.#takeNext(out);
    return undefined;
  }

  /** What was taken proved wrong: it is the next one's turn, the next that comes when there is none. */
  wrong(out: Action[]): void {
    this.#given = undefined;
    this.#takeNext(out);
  }

  #takeNext(out: Action[]): void {
    this.#given = this.#others.shift();
    if (this.#given !== undefined) out.push({ kind: 'take profile', order: this.#given });
  }

  /** A client asks. Who asks again has had its answer, or will. */
  wished(conn: ConnectionId, now: number, out: Action[]): void {
    if (this.#clients.has(conn)) return;
    this.#clients.set(conn, now);
    this.#give(now, out);
  }

  /** This node's own boot is over. */
  give(order: BootOrder, now: number, out: Action[]): void {
    this.#own = fittingOrder(order);
    this.#give(now, out);
  }

  closed(conn: ConnectionId): void {
    this.#clients.delete(conn);
    this.#asked.delete(conn);
  }

  #give(now: number, out: Action[]): void {
    if (this.#own === undefined) return;
    for (const [conn, at] of this.#clients) {
      if (at === Number.POSITIVE_INFINITY) continue;
      this.#clients.set(conn, Number.POSITIVE_INFINITY);
      if (now - at <= WAITING_MS) out.push({ kind: 'frame', conn, frame: { kind: 'profile', ...this.#own } });
    }
  }
}
