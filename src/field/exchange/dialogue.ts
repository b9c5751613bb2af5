import type { Action, ConnectionId } from '../event.ts';
import type { ControlFrame } from '../wire/frame.ts';
import type { Guest } from './admission.ts';
import type { Giver } from './giver.ts';
import type { IndexSeeker } from './index-seeker.ts';
import type { IndexSpreader } from './index-spreader.ts';
import type { Neighbours } from './neighbours.ts';
import type { Stock } from './stock.ts';

export interface DialogueLinks {
  readonly guests: ReadonlyMap<ConnectionId, Guest>;
  readonly neighbours: Neighbours;
  readonly indexes: IndexSpreader;
  readonly indexSeeker: IndexSeeker;
  readonly stock: () => Pick<Stock, 'fetcher' | 'giver'> | undefined;
  readonly ban: (conn: ConnectionId, why: string, now: number, out: Action[]) => void;
}

/**
 * What is said on connections besides chunks: on those we dialled the other side gives, on those we accepted it fetches,
 * and each frame goes to whom it concerns.
 */
export class Dialogue {
  readonly #links: DialogueLinks;
  /** Who subscribed before there was anything to tell. */
  readonly #subscribed = new Set<ConnectionId>();

  constructor(links: DialogueLinks) {
    this.#links = links;
  }

  /** The index is known: from now on there is something to tell. */
  begin(giver: Giver, out: Action[]): void {
    for (const conn of this.#subscribed) giver.subscribe(conn, out);
    this.#subscribed.clear();
  }

  closed(conn: ConnectionId): void {
    this.#subscribed.delete(conn);
  }

  frame(conn: ConnectionId, frame: ControlFrame, now: number, out: Action[]): void {
    const { guests, neighbours, indexSeeker, stock } = this.#links;
    const guest = guests.get(conn);
    if (guest !== undefined) {
      this.#fromGuest(conn, guest, frame, now, out);
      return;
    }
    const fetcher = stock()?.fetcher;
    switch (frame.kind) {
      case 'holdings':
        fetcher?.holdings(conn, frame.windows);
        return;
      case 'have':
        fetcher?.have(conn, frame, now);
        return;
      case 'pointers':
        for (const { node, address } of frame.pointers) neighbours.pointed(node, address);
        fetcher?.pointers(conn, frame, now);
        return;
      case 'lack':
        if (fetcher?.lacks(conn, frame) === true) this.#links.ban(conn, 'lied about what it holds', now, out);
        return;
      case 'index at':
        // Asked again there, and here once more if nothing comes of it.
        indexSeeker.done(conn);
        for (const { node, address } of frame.others) neighbours.pointed(node, address);
        return;
      case 'refuse':
        for (const { node, address } of frame.others) neighbours.pointed(node, address);
        neighbours.refused(conn, now);
        return;
      default:
        out.push({ kind: 'close', conn, why: `'${frame.kind}' is not for the side that gives` });
    }
  }

  #fromGuest(conn: ConnectionId, guest: Guest, frame: ControlFrame, now: number, out: Action[]): void {
    const { indexes, stock } = this.#links;
    const giver = stock()?.giver;
    switch (frame.kind) {
      case 'subscribe':
        indexes.done(conn);
        if (giver === undefined) this.#subscribed.add(conn);
        else giver.subscribe(conn, out);
        return;
      case 'get':
        giver?.get(conn, frame, now, out);
        return;
      case 'cancel':
        giver?.cancel(conn, frame.ranges);
        return;
      case 'got':
        giver?.got(conn, frame.count, now);
        return;
      case 'get index':
        indexes.ask(conn, guest, giver !== undefined, now, out);
        return;
      default:
        out.push({ kind: 'close', conn, why: `'${frame.kind}' is not for the side that fetches` });
    }
  }
}
