import type { Action, ConnectionId, Lengths } from '../event.ts';
import type { Address } from '../wire/address.ts';
import { ChunkSet } from '../wire/chunk-set.ts';
import type { FrameBodies } from '../wire/frame.ts';
import type { Holdings } from '../wire/holdings.ts';
import { countIn, inMessages, NAMED_LIMIT, toRanges } from '../wire/ranges.ts';
import type { NodeId } from '../wire/record.ts';
import { ChunkChoice } from './chunk-choice.ts';
import { Copies } from './copies.ts';
import { type Basket, basketOf, shipBasket } from './order-basket.ts';
import { RateMeter } from './rate-meter.ts';
import type { ReadQueue } from './read-queue.ts';
import { measureSource, newSource, noteCancelled, type Order, type Source } from './source.ts';

/** Bytes on order in all, at least, and in time of the measured rate: enough that the pipe never runs empty. */
const ON_ORDER_CHUNKS = 12;
const ON_ORDER_BYTES = 768 << 10;
const ON_ORDER_MS = 250;
/** Bytes on order at one source: chunks at least, time of its measured rate, and an upper bound. */
const SOURCE_CHUNKS = 4;
const SOURCE_BYTES = 256 << 10;
const SOURCE_MS = 300;
const SOURCE_LIMIT = 8 << 20;
/** Chunks on order at one source, however small they are: what it may be asked for at a time. */
const ORDERS_LIMIT = 2048;
/** A source that has sent nothing for so long has us in its queue; what it owes no longer fills our pipe. */
const QUEUED_MS = 300;
/** A chunk on order for so long, and for several times what is usual, may be ordered a second time elsewhere. */
const HEDGE_MS = 400;
const HEDGE_TIMES = 6;
/** Who pointed us at another is left alone for so many times that time. */
const POINTED_TIMES = 2;
/** An order is given up, and counted against the source, after so long without a byte from it. */
const DEADLINE_MS = 4000;
/** Reads that are urgent at once: more would have all nodes of a crowd queue for the same few chunks. */
const URGENT_CHUNKS = 2;
/** Chunks confirmed together: every message costs both sides more than its bytes. */
const CONFIRMED_TOGETHER = 5;
const CONFIRMED_BYTES = 320 << 10;
const CONFIRMED_MOST = 256;
/** Chunks ordered together, likewise. */
const ORDERED_TOGETHER = 3;
const ORDERED_BYTES = 192 << 10;
const SMALL_CHUNK = 16 << 10;
/** Broken promises after which a source is a liar. */
const STRIKES = 3;

export interface FetcherOptions {
  readonly lengths: Lengths;
  readonly held: ChunkSet;
  readonly reads: ReadQueue;
  readonly random: () => number;
  /** Whether there is room to keep so many bytes more, fetched in idle time. */
  readonly mayFill: (bytes: number) => boolean;
  /** Chunks to fetch in idle time although there is no room: they take the place of others. */
  readonly swaps: ChunkSet;
  /** Of all else, what to fetch in idle time; undefined: anything. */
  readonly duty?: ChunkSet | undefined;
}

/** The fetching side: which chunk to ask whom for, and when to give up waiting. */
export class Fetcher {
  readonly sources = new Map<ConnectionId, Source>();
  readonly #lengths: Lengths;
  readonly #reads: ReadQueue;
  readonly #mayFill: (bytes: number) => boolean;
  readonly #swaps: ChunkSet;
  readonly #mean: number;
  readonly #longest: number;
  readonly #confirmedTogether: number;
  readonly #orderedTogether: number;
  /** Chunks on order somewhere. */
  readonly #ordered: ChunkSet;
  /** How many others have each chunk. */
  readonly copies: Copies;
  readonly #choice: ChunkChoice;
  /** Chunks we were pointed away from: the source that did. The one pointed at is asked first. */
  readonly #pointed = new Map<number, { readonly from: NodeId; readonly to: NodeId; readonly at: number }>();
  /** What comes in all. */
  readonly #rate = new RateMeter();
  /** Mean time from order to arrival, in ms. */
  #usual = 100;
  received = 0;

  constructor(options: FetcherOptions) {
    this.#lengths = options.lengths;
    this.#reads = options.reads;
    this.#mayFill = options.mayFill;
    this.#swaps = options.swaps;
    let longest = 0;
    for (let chunk = 0; chunk < options.lengths.count; chunk++) {
      longest = Math.max(longest, options.lengths.length(chunk));
    }
    this.#longest = longest;
    this.#mean = options.lengths.size / options.lengths.count;
    // Of the usual chunks each is ordered as soon as there is room.
    this.#orderedTogether = this.#mean < SMALL_CHUNK ? ORDERED_BYTES : 1;
    this.#confirmedTogether = Math.min(CONFIRMED_MOST, Math.max(CONFIRMED_TOGETHER, CONFIRMED_BYTES / this.#mean));
    this.#ordered = new ChunkSet(options.lengths.count);
    this.copies = new Copies(options.lengths.count);
    this.#choice = new ChunkChoice({ ...options, ordered: this.#ordered, copies: this.copies });
  }

  /** Something is on order: the fetcher wants to be woken before long. */
  get busy(): boolean {
    for (const source of this.sources.values()) if (source.bytesOnOrder > 0) return true;
    return false;
  }

  hasSource(chunk: number): boolean {
    return this.copiesSeen(chunk) > 0;
  }

  /** How many of our sources have a chunk. */
  copiesSeen(chunk: number): number {
    return this.copies.counts[chunk] as number;
  }

  /** When a node last sent a chunk or news; -Infinity when it is no source. */
  lastHeard(node: NodeId): number {
    for (const source of this.sources.values()) if (source.node === node) return source.lastHeard;
    return Number.NEGATIVE_INFINITY;
  }

  isOrdered(chunk: number): boolean {
    return this.#ordered.has(chunk);
  }

  connected(conn: ConnectionId, node: NodeId, address: Address, now: number): void {
    this.sources.set(conn, newSource(conn, node, address, this.#lengths.count, now));
  }

  closed(conn: ConnectionId): void {
    const source = this.sources.get(conn);
    if (source === undefined) return;
    this.copies.forget(source);
    this.sources.delete(conn);
    for (const chunk of source.orders.keys()) this.#unmark(chunk);
  }

  holdings(conn: ConnectionId, window: Holdings): void {
    const source = this.sources.get(conn);
    if (source === undefined) return;
    this.copies.replace(source, window);
    source.known = true;
  }

  have(conn: ConnectionId, { added, removed }: FrameBodies['have'], now: number): void {
    const source = this.sources.get(conn);
    if (source === undefined) return;
    source.lastHeard = now;
    source.isChoiceVain = false;
    this.copies.change(source, added, removed);
  }

  pointers(conn: ConnectionId, { pointers }: FrameBodies['pointers'], now: number): void {
    const source = this.sources.get(conn);
    if (source === undefined) return;
    for (const { chunk, node } of pointers) {
      this.#endOrder(source, chunk);
      if (chunk < this.#lengths.count) this.#pointed.set(chunk, { from: source.node, to: node, at: now });
    }
  }

  /** True when the source has so often lacked what it said it holds that it must be lying. */
  lacks(conn: ConnectionId, { choices, ranges }: FrameBodies['lack']): boolean {
    const source = this.sources.get(conn);
    if (source === undefined) return false;
    const vain = Math.min(choices, source.choices);
    source.choices -= vain;
    source.bytesOnOrder -= vain * this.#mean;
    if (vain > 0) source.isChoiceVain = true;
    for (const { start, end } of ranges) {
      for (let chunk = start; chunk < Math.min(end, this.#lengths.count); chunk++) {
        this.#endOrder(source, chunk);
        if (this.#pointed.get(chunk)?.to === source.node) this.#pointed.delete(chunk);
        if (!source.has.has(chunk)) continue;
        // What it gave up it would have told us of first: `have` comes before `lack` on the same connection.
        source.strikes++;
        this.copies.lose(source, chunk);
      }
    }
    return source.strikes >= STRIKES;
  }

  /** A chunk begins to come. False when it was not asked for: the source is broken or hostile. */
  incoming(conn: ConnectionId, chunk: number, chosen: boolean): boolean {
    const source = this.sources.get(conn);
    if (source === undefined) return true;
    source.isChoiceVain = false;
    const order = source.orders.get(chunk);
    if (chosen) {
      if (source.choices === 0 && source.choicesGivenUp === 0) return false;
      if (source.choices > 0) {
        source.choices--;
        source.bytesOnOrder -= this.#mean;
      } else source.choicesGivenUp--;
      if (order === undefined) this.#order(source, chunk, false, source.choiceAt).arriving = true;
      else order.arriving = true;
      return true;
    }
    if (order !== undefined) order.arriving = true;
    // An order that was cancelled a moment ago may still come: that is nobody's fault.
    return source.cancelled.delete(chunk) || order !== undefined;
  }

  /**
   * A chunk has come whole. Gives the connections on which the same chunk is still on order: cancel it there.
   */
  arrived(conn: ConnectionId, chunk: number, good: boolean, now: number): ConnectionId[] {
    const bytes = this.#lengths.length(chunk);
    const source = this.sources.get(conn);
    if (source !== undefined) {
      const order = source.orders.get(chunk);
      source.unconfirmed++;
      this.#endOrder(source, chunk);
      if (good) {
        measureSource(source, bytes, order?.at ?? source.lastArrival, now);
        this.#rate.add(bytes, now);
      }
      if (order !== undefined) this.#usual = 0.95 * this.#usual + 0.05 * (now - order.at);
    }
    this.#pointed.delete(chunk);
    if (!good) return [];
    this.#swaps.delete(chunk);
    this.received += bytes;
    const others: ConnectionId[] = [];
    for (const other of this.sources.values()) {
      if (other.conn === conn || other.orders.get(chunk)?.arriving !== false) continue;
      this.#endOrder(other, chunk);
      noteCancelled(other, chunk);
      others.push(other.conn);
    }
    return others;
  }

  /** Orders what should be ordered now. */
  pump(now: number, out: Action[]): void {
    if (this.sources.size === 0) return;
    const baskets = new Map<Source, Basket>();
    this.#pumpUrgent(now, baskets);
    this.#pumpRest(now, baskets);
    for (const [source, basket] of baskets) {
      this.#confirm(source, out);
      shipBasket(source.conn, basket, out);
    }
    for (const source of this.sources.values()) {
      if (source.unconfirmed >= this.#confirmedTogether || source.bytesOnOrder <= 0) this.#confirm(source, out);
    }
  }

  /** From time to time: confirms everything that has come, wherever it came from. */
  confirmAll(out: Action[]): void {
    for (const source of this.sources.values()) {
      source.isChoiceVain = false;
      this.#confirm(source, out);
    }
  }

  #confirm(source: Source, out: Action[]): void {
    if (source.unconfirmed === 0) return;
    out.push({ kind: 'frame', conn: source.conn, frame: { kind: 'got', count: source.unconfirmed } });
    source.unconfirmed = 0;
  }

  /** Sources that owe us something and have been silent for too long; their orders are free to go elsewhere. */
  overdue(now: number): Source[] {
    const late: Source[] = [];
    for (const source of this.sources.values()) {
      let oldest = Number.POSITIVE_INFINITY;
      for (const order of source.orders.values()) oldest = Math.min(oldest, order.at);
      if (source.choices > 0) oldest = Math.min(oldest, source.choiceAt);
      if (now - Math.max(oldest, source.lastArrival) > DEADLINE_MS && oldest < now) late.push(source);
    }
    return late;
  }

  /** Takes every order back from a source. */
  withdraw(source: Source, out: Action[]): void {
    const chunks = [...source.orders.keys()].sort((a, b) => a - b);
    for (const chunk of chunks) {
      this.#endOrder(source, chunk);
      noteCancelled(source, chunk);
    }
    for (const ranges of inMessages(toRanges(chunks), NAMED_LIMIT)) {
      out.push({ kind: 'frame', conn: source.conn, frame: { kind: 'cancel', ranges } });
    }
    source.bytesOnOrder -= source.choices * this.#mean;
    source.choicesGivenUp += source.choices;
    source.choices = 0;
    source.isChoiceVain = true;
    source.strikes++;
    source.rate = Math.max(source.rate / 4, 1024);
  }

  #pumpUrgent(now: number, baskets: Map<Source, Basket>): void {
    let left = URGENT_CHUNKS;
    for (const chunk of this.#reads.waitedChunks()) {
      if (left-- === 0) return;
      const pointed = this.#pointed.get(chunk);
      if (!this.#ordered.has(chunk)) {
        const source = this.#bestFor(chunk, now);
        if (source === undefined) continue;
        const insist = pointed !== undefined && source.node === pointed.from;
        this.#order(source, chunk, true, now);
        const basket = basketOf(baskets, source);
        (insist ? basket.insist : basket.urgent).push(chunk);
      } else this.#hedge(chunk, now, baskets);
    }
  }

  /** The chunk is on order and late: order it once more where it may come sooner. */
  #hedge(chunk: number, now: number, baskets: Map<Source, Basket>): void {
    let since = Number.POSITIVE_INFINITY;
    let orders = 0;
    for (const source of this.sources.values()) {
      const order = source.orders.get(chunk);
      if (order === undefined) continue;
      orders++;
      since = order.arriving ? Number.POSITIVE_INFINITY : Math.min(since, order.at);
    }
    if (orders !== 1 || now - since < this.#patience()) return;
    const second = this.#bestFor(chunk, now);
    if (second === undefined || second.orders.has(chunk)) return;
    this.#order(second, chunk, true, now);
    basketOf(baskets, second).insist.push(chunk);
  }

  /** How long to wait for an order before something else is tried. */
  #patience(): number {
    return Math.max(HEDGE_MS, HEDGE_TIMES * this.#usual);
  }

  /** Where a chunk that a read waits for comes from soonest. */
  #bestFor(chunk: number, now: number): Source | undefined {
    const pointed = this.#pointed.get(chunk);
    const isFresh = pointed !== undefined && now - pointed.at < POINTED_TIMES * this.#patience();
    let best: Source | undefined;
    let bestDelay = Number.POSITIVE_INFINITY;
    let promised: Source | undefined;
    for (const source of this.sources.values()) {
      if (source.orders.has(chunk)) continue;
      if (!source.has.has(chunk)) {
        // Who is getting it is asked only while nobody who has it is there, lest promises go round in a circle.
        if (isFresh && pointed.to === source.node) promised = source;
        continue;
      }
      // What it is free to choose from comes anyway, and in this order, as long as it gives us anything.
      if (source.choices > 0 && now - Math.max(source.lastArrival, source.choiceAt) < this.#patience()) continue;
      // Who pointed us elsewhere is asked again only after the other has had its time.
      if (isFresh && pointed.from === source.node) continue;
      const delay = this.#delay(source);
      if (delay < bestDelay) {
        best = source;
        bestDelay = delay;
      }
    }
    return best ?? promised;
  }

  #pumpRest(now: number, baskets: Map<Source, Basket>): void {
    const limit = Math.max(
      ON_ORDER_CHUNKS * this.#mean,
      ON_ORDER_BYTES,
      (this.#rate.bytesPerSecond * ON_ORDER_MS) / 1000,
    );
    let onOrder = 0;
    for (const source of this.sources.values()) {
      if (now - source.lastArrival < QUEUED_MS || source.delivered === 0) onOrder += source.bytesOnOrder;
    }
    if (onOrder + this.#orderedTogether > limit) return;
    const wanting = [...this.sources.values()].filter(
      ({ has, bytesOnOrder, rate }) =>
        has.count > 0 &&
        (bytesOnOrder <= 0 || bytesOnOrder + Math.max(ORDERED_TOGETHER * this.#mean, ORDERED_BYTES) <= this.#cap(rate)),
    );
    while (onOrder < limit && wanting.length > 0) {
      let at = 0;
      for (let i = 1; i < wanting.length; i++) {
        if (this.#delay(wanting[i] as Source) < this.#delay(wanting[at] as Source)) at = i;
      }
      const source = wanting[at] as Source;
      const mayOrder =
        source.bytesOnOrder < this.#cap(source.rate) && source.orders.size + source.choices < ORDERS_LIMIT;
      const bytes = mayOrder ? this.#orderOne(source, now, baskets) : 0;
      if (bytes === 0) wanting.splice(at, 1);
      onOrder += bytes;
    }
  }

  /** Whether whatever comes next will find its place, beside all that is on order. */
  #hasRoom(): boolean {
    let onOrder = 0;
    for (const source of this.sources.values()) onOrder += source.bytesOnOrder;
    return this.#mayFill(onOrder + this.#longest);
  }

  /** Bytes that may be on order at a source of that rate. */
  #cap(rate: number): number {
    return Math.max(SOURCE_CHUNKS * this.#mean, SOURCE_BYTES, Math.min((rate * SOURCE_MS) / 1000, SOURCE_LIMIT));
  }

  /** Orders one more chunk from a source; gives its bytes, 0 when there is nothing to order. */
  #orderOne(source: Source, now: number, baskets: Map<Source, Basket>): number {
    const fill = this.#hasRoom();
    const basket = basketOf(baskets, source);
    // What was left to the source a moment ago is not the less rare for that.
    if (basket.choices > 0) return fill || this.#reads.window.count > 0 ? this.#leaveChoice(source, basket, now) : 0;
    const { chunk, copies } = this.#choice.rarest(source, fill);
    if (chunk < 0) return 0;
    if (copies > 1) {
      this.#order(source, chunk, false, now);
      basket.exact.push(chunk);
      return this.#lengths.length(chunk);
    }
    // Only this source has it, as far as we see, and so others will be asking it too: it knows best which of these
    // chunks nobody has been given yet.
    const ranges = source.isChoiceVain ? [] : this.#choice.onlyAt(source, fill);
    if (ranges.length === 0) return 0;
    basket.choiceRanges = ranges;
    basket.choicesMost = countIn(ranges);
    return this.#leaveChoice(source, basket, now);
  }

  #leaveChoice(source: Source, basket: Basket, now: number): number {
    if (basket.choices >= basket.choicesMost) return 0;
    if (source.choices === 0) source.choiceAt = now;
    source.choices++;
    source.bytesOnOrder += this.#mean;
    basket.choices++;
    return this.#mean;
  }

  #delay(source: Source): number {
    return (source.bytesOnOrder + this.#mean) / source.rate;
  }

  #order(source: Source, chunk: number, urgent: boolean, at: number): Order {
    const order = { at, urgent, bytes: this.#lengths.length(chunk), arriving: false };
    source.orders.set(chunk, order);
    source.bytesOnOrder += order.bytes;
    this.#ordered.add(chunk);
    for (const twin of this.#lengths.othersLike?.(chunk) ?? []) this.#ordered.add(twin);
    return order;
  }

  #endOrder(source: Source, chunk: number): void {
    const order = source.orders.get(chunk);
    if (order === undefined) return;
    source.orders.delete(chunk);
    source.bytesOnOrder -= order.bytes;
    this.#unmark(chunk);
  }

  /** Of chunks that are the same bytes none is ordered while another one is. */
  #unmark(chunk: number): void {
    const twins = [chunk, ...(this.#lengths.othersLike?.(chunk) ?? [])];
    for (const source of this.sources.values()) if (twins.some((each) => source.orders.has(each))) return;
    for (const each of twins) this.#ordered.delete(each);
  }
}
