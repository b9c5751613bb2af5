import type { ConnectionId } from '../../event.ts';
import type { NodeId } from '../../wire/record.ts';
import type { Imports } from './imports.ts';
import { type Basket, basketOf } from './order-basket.ts';
import type { Orders } from './orders.ts';
import type { ReadQueue } from './read-queue.ts';
import type { Source } from './source.ts';

/** A chunk on order for so long, and for several times what is usual, may be ordered a second time elsewhere. */
const HEDGE_MS = 400;
const HEDGE_TIMES = 6;
/** Who pointed us at another is left alone for so many times that time. */
const POINTED_TIMES = 2;
/** Whoever of our own room has a chunk is asked before all others. */
const AFAR_SECONDS = 3600;
/** Chunks that others of our room wait for are brought into it so many at a time. */
const PROMISED_CHUNKS = 4;
/** Who is to bring a chunk into our room has so long to do it; then we fetch it from afar ourselves. */
const IMPORT_MS = 3500;
/** Reads that are urgent at once: more would have all nodes of a crowd queue for the same few chunks. */
const URGENT_CHUNKS = 2;

export interface DemandLinks {
  readonly sources: ReadonlyMap<ConnectionId, Source>;
  readonly orders: Orders;
  readonly reads: ReadQueue;
  /** Seconds until what is asked of a source now would be here. */
  readonly delay: (source: Source) => number;
  /** Whether the limit on what is fetched lets a read have one more chunk. */
  readonly mayOrder: (now: number) => boolean;
  readonly imports: Imports | undefined;
  /** Has a node dialled that is to bring something into our room. */
  readonly want: (node: NodeId) => void;
  /** Chunks that others wait for us to get. */
  readonly promised: () => Iterable<number>;
}

/** Chunks that reads wait for: asked for where they come soonest, and elsewhere when they are late. */
export class Demand {
  readonly #links: DemandLinks;
  /** Chunks we were pointed away from: the source that did. The one pointed at is asked first. */
  readonly #pointed = new Map<number, { readonly from: NodeId; readonly to: NodeId; readonly at: number }>();
  /** Since when a chunk of another room is waited for. */
  readonly #awaited = new Map<number, number>();
  /** Mean time from order to arrival, in ms. */
  #usual = 100;

  constructor(links: DemandLinks) {
    this.#links = links;
  }

  pointed(chunk: number, from: NodeId, to: NodeId, at: number): void {
    this.#pointed.set(chunk, { from, to, at });
  }

  /** Who we were pointed at has not got it. */
  lacked(chunk: number, node: NodeId): void {
    if (this.#pointed.get(chunk)?.to === node) this.#pointed.delete(chunk);
  }

  arrived(chunk: number, tookMs: number | undefined): void {
    this.#pointed.delete(chunk);
    this.#awaited.delete(chunk);
    if (tookMs !== undefined) this.#usual = 0.95 * this.#usual + 0.05 * tookMs;
  }

  pump(now: number, baskets: Map<Source, Basket>): void {
    const { reads, orders, mayOrder } = this.#links;
    this.#bringIn(now, baskets);
    let left = URGENT_CHUNKS;
    for (const chunk of reads.waitedChunks()) {
      if (left-- === 0 || !mayOrder(now)) return;
      const pointed = this.#pointed.get(chunk);
      if (!orders.chunks.has(chunk)) {
        const source = this.#bestFor(chunk, now);
        if (source === undefined) continue;
        const insist = pointed !== undefined && source.node === pointed.from;
        orders.place(source, chunk, true, now);
        const basket = basketOf(baskets, source);
        (insist ? basket.insist : basket.urgent).push(chunk);
      } else this.#hedge(chunk, now, baskets);
    }
  }

  /** Others of our room wait for us to get these. */
  #bringIn(now: number, baskets: Map<Source, Basket>): void {
    const { orders, promised, imports, mayOrder } = this.#links;
    if (imports?.isOn !== true) return;
    let left = PROMISED_CHUNKS;
    for (const chunk of promised()) {
      if (left-- === 0 || !mayOrder(now)) return;
      if (orders.chunks.has(chunk)) continue;
      const source = this.#bestFor(chunk, now);
      if (source === undefined) continue;
      orders.place(source, chunk, true, now);
      basketOf(baskets, source).urgent.push(chunk);
    }
  }

  /**
   * Who of our room is to be asked for a chunk that only others rooms have; undefined: they are to be asked. So each
   * chunk comes over the link between the rooms about once, however many wait for it.
   */
  #importerOf(chunk: number, now: number): NodeId | undefined {
    const importer = this.#links.imports?.importerOf(chunk);
    if (importer === undefined) return undefined;
    const since = this.#awaited.get(chunk) ?? now;
    if (now - since > IMPORT_MS) return undefined;
    this.#awaited.set(chunk, since);
    return importer;
  }

  /** The chunk is on order and late: order it once more where it may come sooner. */
  #hedge(chunk: number, now: number, baskets: Map<Source, Basket>): void {
    const { sources, orders } = this.#links;
    let since = Number.POSITIVE_INFINITY;
    let count = 0;
    for (const source of sources.values()) {
      const order = source.orders.get(chunk);
      if (order === undefined) continue;
      count++;
      since = order.arriving ? Number.POSITIVE_INFINITY : Math.min(since, order.at);
    }
    if (count !== 1 || now - since < this.#patience()) return;
    const second = this.#bestFor(chunk, now);
    if (second === undefined || second.orders.has(chunk)) return;
    orders.place(second, chunk, true, now);
    basketOf(baskets, second).insist.push(chunk);
  }

  /** How long to wait for an order before something else is tried. */
  #patience(): number {
    return Math.max(HEDGE_MS, HEDGE_TIMES * this.#usual);
  }

  /** Where a chunk that a read waits for comes from soonest. */
  #bestFor(chunk: number, now: number): Source | undefined {
    const { sources, delay, imports } = this.#links;
    const pointed = this.#pointed.get(chunk);
    const isFresh = pointed !== undefined && now - pointed.at < POINTED_TIMES * this.#patience();
    const importer = this.#importerOf(chunk, now);
    let best: Source | undefined;
    let bestDelay = Number.POSITIVE_INFINITY;
    let promised: Source | undefined;
    for (const source of sources.values()) {
      if (source.orders.has(chunk)) continue;
      if (!source.has.has(chunk)) {
        // Who is getting it is asked only while nobody who has it is there, lest promises go round in a circle.
        if ((isFresh && pointed.to === source.node) || source.node === importer) promised = source;
        continue;
      }
      // What it is free to choose from comes anyway, and in this order, as long as it gives us anything.
      if (source.choices > 0 && now - Math.max(source.lastArrival, source.choiceAt) < this.#patience()) continue;
      // Who pointed us elsewhere is asked again only after the other has had its time.
      if (isFresh && pointed.from === source.node) continue;
      const isFar = imports?.isFar(source.node) === true;
      if (isFar && (importer !== undefined || imports?.mayAsk(source) === false)) continue;
      const sourceDelay = delay(source) + (isFar ? AFAR_SECONDS : 0);
      if (sourceDelay < bestDelay) {
        best = source;
        bestDelay = sourceDelay;
      }
    }
    if (importer !== undefined && best === undefined && promised === undefined) this.#links.want(importer);
    return best ?? promised;
  }
}
