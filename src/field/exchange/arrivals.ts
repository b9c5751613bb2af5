import type { Action, ConnectionId } from '../event.ts';
import type { Throttle } from '../shares/throttle.ts';
import { toRanges } from '../wire/ranges.ts';
import type { Connections } from './connections/connections.ts';
import type { OriginOrders } from './connections/origin-orders.ts';
import { LIE_MS } from './connections/penalties.ts';
import type { Search } from './connections/search.ts';
import type { Foresight } from './fetching/foresight.ts';
import type { KeptStock } from './keeping/keeper.ts';

export interface ArrivalLinks {
  readonly connections: Connections;
  readonly search: Search;
  readonly foresight: Foresight;
  readonly origins: OriginOrders;
  /** What may come from peers and origins together. */
  readonly limit: Throttle;
  /** All of the image is wanted. */
  readonly isPreheating: () => boolean;
  readonly data: () => KeptStock | undefined;
  readonly say: (text: string) => void;
}

/** What becomes of a chunk that has come. */
export class Arrivals {
  readonly #links: ArrivalLinks;

  constructor(links: ArrivalLinks) {
    this.#links = links;
  }

  /** @param good it is what the index says */
  fromPeer(conn: ConnectionId, chunk: number, good: boolean, now: number, out: Action[]): void {
    const { connections, data } = this.#links;
    const stock = data();
    if (stock === undefined) return;
    for (const other of stock.fetcher.arrived(conn, chunk, good, now)) {
      out.push({ kind: 'frame', conn: other, frame: { kind: 'cancel', ranges: toRanges([chunk]) } });
    }
    if (good) this.#gain(chunk, now, out);
    else connections.ban(conn, 'gave a false chunk', LIE_MS, now, out);
  }

  /** @param good it has come, and is what the index says */
  fromOrigin(chunk: number, good: boolean, now: number, out: Action[]): void {
    const { origins, limit, isPreheating, data } = this.#links;
    const isPromised = origins.answered(chunk, good);
    const stock = data();
    if (stock === undefined) return;
    if (good) {
      limit.took(stock.lengths.length(chunk), now);
      this.#gain(chunk, now, out, isPromised);
      // The next ones, without waiting for a tick; what failed is asked for again at one.
      origins.ask(stock, now, out);
    }
    if (isPreheating()) origins.preheat(stock, now, out);
  }

  #gain(chunk: number, now: number, out: Action[], isPromised = false): void {
    const { search, foresight, data, say } = this.#links;
    const stock = data();
    if (stock?.keeper.gain(chunk, now, out, isPromised) !== true) return;
    search.found(chunk);
    foresight.look(now, out);
    const { held, lengths } = stock;
    if (held.count === lengths.count) say(`holds the whole image, ${lengths.count} chunks`);
  }
}
