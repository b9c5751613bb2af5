import type { Action, ConnectionId, Lengths } from '../../event.ts';
import { Throttle } from '../../shares/throttle.ts';
import type { Address } from '../../wire/address.ts';
import type { ChunkSet } from '../../wire/chunk-set.ts';
import type { FrameBodies } from '../../wire/frame.ts';
import type { Holdings } from '../../wire/holdings.ts';
import { inMessages, NAMED_LIMIT, toRanges } from '../../wire/ranges.ts';
import type { NodeId } from '../../wire/record.ts';
import { Advance, type SpareTimeLinks } from './advance.ts';
import { Copies } from './copies.ts';
import { Demand } from './demand.ts';
import type { Imports } from './imports.ts';
import { type Basket, shipBasket } from './order-basket.ts';
import { Orders } from './orders.ts';
import { RateMeter } from './rate-meter.ts';
import type { ReadQueue } from './read-queue.ts';
import { capSpare, isOverdue, measureSource, newSource, noteCancelled, type Source, spareOnOrder } from './source.ts';

/** A source that has sent nothing for so long has us in its queue; what it owes no longer fills our pipe. */
const QUEUED_MS = 300;
/** Chunks confirmed together: every message costs both sides more than its bytes. */
const CONFIRMED_TOGETHER = 5;
const CONFIRMED_BYTES = 320 << 10;
const CONFIRMED_MOST = 256;
/** Broken promises after which a source is a liar. */
const STRIKES = 3;

export interface FetcherOptions {
  readonly lengths: Lengths;
  readonly held: ChunkSet;
  readonly reads: ReadQueue;
  readonly random: () => number;
  readonly spareTime: SpareTimeLinks;
  /** Whether there is room to keep so many bytes more. */
  readonly hasRoom: (bytes: number) => boolean;
  /** Chunks to fetch in idle time although there is no room: they take the place of others. */
  readonly swaps: ChunkSet;
  /** Of all else, what to fetch in idle time; undefined: anything. */
  readonly duty?: ChunkSet | undefined;
  /** What may come from peers and origins together. */
  readonly limit?: Throttle;
  /** Who of our room fetches what from other rooms. */
  readonly imports?: Imports | undefined;
  /** Has a node dialled that is to bring something into our room. */
  readonly want?: (node: NodeId) => void;
  /** The shortest round trip to a node, in ms. */
  readonly roundTrip?: (node: NodeId) => number;
  /** Chunks that others wait for us to get. */
  readonly promised?: () => Iterable<number>;
}

/** The fetching side: which chunk to ask whom for, and when to give up waiting. */
export class Fetcher {
  readonly sources = new Map<ConnectionId, Source>();
  readonly #lengths: Lengths;
  readonly #reads: ReadQueue;
  readonly #spareTime: SpareTimeLinks;
  readonly #swaps: ChunkSet;
  readonly #mean: number;
  readonly #confirmedTogether: number;
  readonly #orders: Orders;
  readonly #demand: Demand;
  readonly #limit: Throttle;
  readonly #imports: Imports | undefined;
  /** How many others have each chunk. */
  readonly copies: Copies;
  readonly #advance: Advance;
  /** What comes in all. */
  readonly #rate = new RateMeter();
  received = 0;

  constructor(options: FetcherOptions) {
    this.#lengths = options.lengths;
    this.#reads = options.reads;
    this.#spareTime = options.spareTime;
    this.#swaps = options.swaps;
    // Whole bytes: what is on order is added up and taken away again, and has to come to nothing.
    this.#mean = Math.max(1, Math.round(options.lengths.size / options.lengths.count));
    this.#confirmedTogether = Math.min(CONFIRMED_MOST, Math.max(CONFIRMED_TOGETHER, CONFIRMED_BYTES / this.#mean));
    this.#imports = options.imports;
    this.#orders = new Orders(options.lengths, this.sources);
    this.#limit = options.limit ?? new Throttle();
    this.#demand = new Demand({
      sources: this.sources,
      orders: this.#orders,
      reads: options.reads,
      delay: (source) => this.#delay(source),
      mayOrder: (now) => this.#limit.isOpen('read', this.#onOrder(now), now),
      imports: options.imports,
      want: options.want ?? (() => {}),
      promised: options.promised ?? (() => []),
    });
    this.copies = new Copies(options.lengths.count);
    this.#advance = new Advance({
      ...options,
      sources: this.sources,
      orders: this.#orders,
      copies: this.copies,
      mean: this.#mean,
      limit: this.#limit,
      rate: () => this.#rate.bytesPerSecond,
      delay: (source) => this.#delay(source),
    });
  }

  /** Something is on order: the fetcher wants to be woken before long. */
  get busy(): boolean {
    for (const source of this.sources.values()) if (source.bytesOnOrder > 0) return true;
    return false;
  }

  /** Chunks that nobody waits for and that are on their way, but for those of sources that have fallen silent. */
  spareOnOrder(now: number): number {
    let count = 0;
    for (const source of this.sources.values()) count += spareOnOrder(source, now);
    return count;
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
    return this.#orders.chunks.has(chunk);
  }

  /** Whether we are to bring a chunk into our room, and can: others of the room may wait for it here. */
  willImport(chunk: number): boolean {
    return this.#imports?.isOn === true && this.#imports.importerOf(chunk) === undefined && this.hasSource(chunk);
  }

  connected(conn: ConnectionId, node: NodeId, address: Address, now: number): void {
    this.sources.set(conn, newSource(conn, node, address, this.#lengths.count, now));
  }

  closed(conn: ConnectionId): void {
    const source = this.sources.get(conn);
    if (source === undefined) return;
    this.copies.forget(source);
    this.sources.delete(conn);
    this.#orders.forget(source);
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
      this.#orders.end(source, chunk);
      if (chunk < this.#lengths.count) this.#demand.pointed(chunk, source.node, node, now);
    }
  }

  /** A node that does not hold a chunk will bring it when it is asked. */
  point(chunk: number, self: NodeId, node: NodeId, now: number): void {
    this.#demand.pointed(chunk, self, node, now);
  }

  /** True when the source has so often lacked what it said it holds that it must be lying. */
  lacks(conn: ConnectionId, { choices, ranges }: FrameBodies['lack']): boolean {
    const source = this.sources.get(conn);
    if (source === undefined) return false;
    const vain = Math.min(choices, source.choices);
    source.choices -= vain;
    source.bytesOnOrder -= vain * this.#mean;
    if (vain > 0) source.isChoiceVain = true;
    capSpare(source);
    for (const { start, end } of ranges) {
      for (let chunk = start; chunk < Math.min(end, this.#lengths.count); chunk++) {
        this.#orders.end(source, chunk);
        this.#demand.lacked(chunk, source.node);
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
      const isSpare = source.spareChoices > 0 && !this.#reads.window.has(chunk);
      if (source.choices > 0) {
        source.choices--;
        source.bytesOnOrder -= this.#mean;
      } else source.choicesGivenUp--;
      if (isSpare) source.spareChoices--;
      capSpare(source);
      if (order === undefined) this.#orders.place(source, chunk, false, source.choiceAt, isSpare).arriving = true;
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
    const order = source?.orders.get(chunk);
    this.#limit.took(bytes, now);
    if (order?.isSpare === true) this.#spareTime.arrived();
    if (source !== undefined) {
      source.unconfirmed++;
      this.#orders.end(source, chunk);
      if (good) {
        measureSource(source, bytes, order?.at ?? source.lastArrival, now);
        this.#rate.add(bytes, now);
      }
    }
    this.#imports?.arrived(now);
    this.#demand.arrived(chunk, order && now - order.at);
    if (!good) return [];
    this.#swaps.delete(chunk);
    this.received += bytes;
    const others: ConnectionId[] = [];
    for (const other of this.sources.values()) {
      if (other.conn === conn || other.orders.get(chunk)?.arriving !== false) continue;
      this.#orders.end(other, chunk);
      noteCancelled(other, chunk);
      others.push(other.conn);
    }
    return others;
  }

  /** Orders what should be ordered now. */
  pump(now: number, out: Action[]): void {
    if (this.sources.size === 0) return;
    this.#imports?.look(this.sources.values(), now);
    const baskets = new Map<Source, Basket>();
    this.#demand.pump(now, baskets);
    this.#advance.pump(now, this.#onOrder(now), baskets);
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
    return [...this.sources.values()].filter((source) => isOverdue(source, now));
  }

  /** Takes every order back from a source. */
  withdraw(source: Source, out: Action[]): void {
    const chunks = [...source.orders.keys()].sort((a, b) => a - b);
    for (const chunk of chunks) {
      this.#orders.end(source, chunk);
      noteCancelled(source, chunk);
    }
    for (const ranges of inMessages(toRanges(chunks), NAMED_LIMIT)) {
      out.push({ kind: 'frame', conn: source.conn, frame: { kind: 'cancel', ranges } });
    }
    source.bytesOnOrder -= source.choices * this.#mean;
    source.choicesGivenUp += source.choices;
    source.choices = 0;
    capSpare(source);
    source.isChoiceVain = true;
    source.strikes++;
    source.rate = Math.max(source.rate / 4, 1024);
  }

  /** Bytes on order that fill our pipe. */
  #onOrder(now: number): number {
    let bytes = 0;
    for (const { lastArrival, delivered, bytesOnOrder } of this.sources.values()) {
      if (now - lastArrival < QUEUED_MS || delivered === 0) bytes += bytesOnOrder;
    }
    return bytes;
  }

  /** When the limit lets more be ordered; Infinity when it does now, or nothing is wanted. */
  nextOrder(now: number): number {
    if (this.sources.size === 0) return Number.POSITIVE_INFINITY;
    const need = this.#reads.length > 0 ? 'read' : 'advance';
    return this.#limit.opensAt(need, this.#onOrder(now), now);
  }

  #delay(source: Source): number {
    return (source.bytesOnOrder + this.#mean) / source.rate;
  }
}
