import type { Address } from './address.ts';
import { type ChunkRange, ChunkSet } from './chunk-set.ts';
import type { Action, ConnectionId, Lengths } from './event.ts';
import type { FrameBodies } from './frame.ts';
import { type Holdings, toRanges, unpackInto } from './holdings.ts';
import type { ReadQueue } from './read-queue.ts';
import type { NodeId } from './record.ts';

/** Bytes on order in all, at least, and in time of the measured rate: enough that the pipe never runs empty. */
const ON_ORDER_CHUNKS = 12;
const ON_ORDER_MS = 250;
/** Bytes on order at one source: chunks at least, time of its measured rate, and an upper bound. */
const SOURCE_CHUNKS = 4;
const SOURCE_MS = 300;
const SOURCE_LIMIT = 8 << 20;
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
/** Chunks ordered together, likewise. */
const ORDERED_TOGETHER = 3;
/** Candidates looked at to find the rarest one: bounds the work in images of very many chunks. */
const SCAN_LIMIT = 4096;
/** Ranges in a request that leaves the choice to the source. */
const CHOICE_RANGES = 64;
/** Broken promises after which a source is a liar. */
const STRIKES = 3;

interface Order {
  at: number;
  readonly urgent: boolean;
  readonly bytes: number;
  /** Its header has come: the rest will. */
  arriving: boolean;
}

export interface Source {
  readonly conn: ConnectionId;
  readonly node: NodeId;
  readonly address: Address;
  readonly has: ChunkSet;
  readonly orders: Map<number, Order>;
  /** Chunks on order whose choice we left to the source, and since when. */
  choices: number;
  choiceAt: number;
  /** It had nothing to choose from: it is not left the choice again before something has changed. */
  isChoiceVain: boolean;
  bytesOnOrder: number;
  /** Bytes per second while something was on order. */
  rate: number;
  lastArrival: number;
  lastHeard: number;
  delivered: number;
  strikes: number;
  /** Chunks that came and are not yet confirmed. */
  unconfirmed: number;
  /** Whether its holdings have come. */
  known: boolean;
}

/** Orders of one pump, one frame a source and urgency. */
interface Basket {
  readonly exact: number[];
  readonly urgent: number[];
  readonly insist: number[];
  choices: number;
  choiceRanges: readonly ChunkRange[];
}

export interface FetcherOptions {
  readonly lengths: Lengths;
  readonly held: ChunkSet;
  readonly reads: ReadQueue;
  readonly random: () => number;
  /** Whether there is room to keep so many bytes more, fetched in idle time. */
  readonly mayFill: (bytes: number) => boolean;
  /** Chunks to fetch in idle time although there is no room: they take the place of others. */
  readonly swaps: ChunkSet;
}

/** The fetching side: which chunk to ask whom for, and when to give up waiting. */
export class Fetcher {
  readonly sources = new Map<ConnectionId, Source>();
  readonly #lengths: Lengths;
  readonly #held: ChunkSet;
  readonly #reads: ReadQueue;
  readonly #random: () => number;
  readonly #mayFill: (bytes: number) => boolean;
  readonly #swaps: ChunkSet;
  readonly #mean: number;
  readonly #longest: number;
  /** Chunks on order somewhere. */
  readonly #ordered: ChunkSet;
  /** How many sources have each chunk. */
  readonly #copies: Uint16Array;
  /** Chunks we were pointed away from: the source that did. The one pointed at is asked first. */
  readonly #pointed = new Map<number, { readonly from: NodeId; readonly to: NodeId; readonly at: number }>();
  #rate = 0;
  #rateBytes = 0;
  #rateSince = 0;
  /** Mean time from order to arrival, in ms. */
  #usual = 100;
  received = 0;

  constructor(options: FetcherOptions) {
    this.#lengths = options.lengths;
    this.#held = options.held;
    this.#reads = options.reads;
    this.#random = options.random;
    this.#mayFill = options.mayFill;
    this.#swaps = options.swaps;
    let longest = 0;
    for (let chunk = 0; chunk < options.lengths.count; chunk++) {
      longest = Math.max(longest, options.lengths.length(chunk));
    }
    this.#longest = longest;
    this.#mean = options.lengths.size / options.lengths.count;
    this.#ordered = new ChunkSet(options.lengths.count);
    this.#copies = new Uint16Array(options.lengths.count);
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
    return this.#copies[chunk] as number;
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
    this.sources.set(conn, {
      conn,
      node,
      address,
      has: new ChunkSet(this.#lengths.count),
      orders: new Map(),
      choices: 0,
      choiceAt: 0,
      isChoiceVain: false,
      bytesOnOrder: 0,
      rate: 1 << 20,
      lastArrival: now,
      lastHeard: now,
      delivered: 0,
      strikes: 0,
      unconfirmed: 0,
      known: false,
    });
  }

  closed(conn: ConnectionId): void {
    const source = this.sources.get(conn);
    if (source === undefined) return;
    for (const chunk of source.has) this.#copies[chunk] = (this.#copies[chunk] as number) - 1;
    this.sources.delete(conn);
    for (const chunk of source.orders.keys()) this.#unmark(chunk);
  }

  holdings(conn: ConnectionId, windows: readonly Holdings[]): void {
    const source = this.sources.get(conn);
    if (source === undefined) return;
    for (const chunk of source.has) this.#copies[chunk] = (this.#copies[chunk] as number) - 1;
    source.has.clear();
    for (const window of windows) unpackInto(window, source.has);
    for (const chunk of source.has) this.#copies[chunk] = (this.#copies[chunk] as number) + 1;
    source.known = true;
  }

  have(conn: ConnectionId, { added, removed }: FrameBodies['have'], now: number): void {
    const source = this.sources.get(conn);
    if (source === undefined) return;
    source.lastHeard = now;
    source.isChoiceVain = false;
    for (const { start, end } of added) {
      for (let chunk = start; chunk < Math.min(end, this.#lengths.count); chunk++) this.#gain(source, chunk);
    }
    for (const { start, end } of removed) {
      for (let chunk = start; chunk < Math.min(end, this.#lengths.count); chunk++) this.#lose(source, chunk);
    }
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
        this.#lose(source, chunk);
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
      if (source.choices === 0) return false;
      source.choices--;
      source.bytesOnOrder -= this.#mean;
      if (order === undefined) this.#order(source, chunk, false, source.choiceAt).arriving = true;
      else order.arriving = true;
      return true;
    }
    // An order that was cancelled a moment ago may still come: that is nobody's fault.
    if (order !== undefined) order.arriving = true;
    return true;
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
      if (good) this.#measure(source, bytes, order?.at ?? source.lastArrival, now);
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
    for (const [source, basket] of baskets) this.#ship(source, basket, out);
    for (const source of this.sources.values()) {
      if (source.unconfirmed >= CONFIRMED_TOGETHER || source.bytesOnOrder <= 0) this.#confirm(source, out);
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
      if (now - Math.max(oldest, source.lastArrival) > DEADLINE_MS && oldest < now) late.push(source);
    }
    return late;
  }

  /** Takes every order back from a source. */
  withdraw(source: Source, out: Action[]): void {
    const chunks = [...source.orders.keys()].sort((a, b) => a - b);
    for (const chunk of chunks) this.#endOrder(source, chunk);
    if (chunks.length > 0)
      out.push({ kind: 'frame', conn: source.conn, frame: { kind: 'cancel', ranges: toRanges(chunks) } });
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
    const limit = Math.max(ON_ORDER_CHUNKS * this.#mean, (this.#rate * ON_ORDER_MS) / 1000);
    let onOrder = 0;
    for (const source of this.sources.values()) {
      if (now - source.lastArrival < QUEUED_MS || source.delivered === 0) onOrder += source.bytesOnOrder;
    }
    if (onOrder >= limit) return;
    const wanting = [...this.sources.values()].filter(
      ({ has, bytesOnOrder, rate }) =>
        has.count > 0 && (bytesOnOrder <= 0 || bytesOnOrder + ORDERED_TOGETHER * this.#mean <= this.#cap(rate)),
    );
    while (onOrder < limit && wanting.length > 0) {
      let at = 0;
      for (let i = 1; i < wanting.length; i++) {
        if (this.#delay(wanting[i] as Source) < this.#delay(wanting[at] as Source)) at = i;
      }
      const source = wanting[at] as Source;
      const bytes = source.bytesOnOrder < this.#cap(source.rate) ? this.#orderOne(source, now, baskets) : 0;
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

  /** What is fetched in idle time: anything while there is room (undefined), else what takes the place of others. */
  #idle(fill: boolean): Uint32Array | undefined {
    return fill ? undefined : this.#swaps.words;
  }

  /** Bytes that may be on order at a source of that rate. */
  #cap(rate: number): number {
    return Math.max(SOURCE_CHUNKS * this.#mean, Math.min((rate * SOURCE_MS) / 1000, SOURCE_LIMIT));
  }

  /** Orders one more chunk from a source; gives its bytes, 0 when there is nothing to order. */
  #orderOne(source: Source, now: number, baskets: Map<Source, Basket>): number {
    const fill = this.#hasRoom();
    const { chunk, copies } = this.#rarest(source, fill);
    if (chunk < 0) return 0;
    const basket = basketOf(baskets, source);
    if (copies > 1) {
      this.#order(source, chunk, false, now);
      basket.exact.push(chunk);
      return this.#lengths.length(chunk);
    }
    // Only this source has it, as far as we see, and so others will be asking it too: it knows best which of these
    // chunks nobody has been given yet.
    const ranges = source.isChoiceVain ? [] : this.#onlyAt(source, fill);
    if (ranges.length === 0) return 0;
    if (source.choices === 0) source.choiceAt = now;
    source.choices++;
    source.bytesOnOrder += this.#mean;
    basket.choices++;
    basket.choiceRanges = ranges;
    return this.#mean;
  }

  /** The chunk fewest sources have that this one has and we want: of the window when there is one, else of all. */
  #rarest(source: Source, fill: boolean): { chunk: number; copies: number } {
    const inWindow = this.#rarestOf(source, this.#reads.window.words);
    if (inWindow.chunk >= 0 || (!fill && this.#swaps.count === 0)) return inWindow;
    return this.#rarestOf(source, this.#idle(fill));
  }

  #rarestOf(source: Source, within: Uint32Array | undefined): { chunk: number; copies: number } {
    const { words } = source.has;
    const first = Math.floor(this.#random() * words.length);
    let best = -1;
    let bestCopies = Number.POSITIVE_INFINITY;
    let ties = 0;
    let scanned = 0;
    for (let i = 0; i < words.length && scanned < SCAN_LIMIT; i++) {
      const index = (first + i) % words.length;
      let word = this.#candidates(source, index);
      if (within !== undefined) word &= within[index] as number;
      for (; word !== 0; word &= word - 1) {
        const chunk = (index << 5) + 31 - Math.clz32(word & -word);
        const copies = this.#copies[chunk] as number;
        scanned++;
        if (copies < bestCopies) {
          best = chunk;
          bestCopies = copies;
          ties = 1;
        } else if (copies === bestCopies && this.#random() * ++ties < 1) best = chunk;
      }
    }
    return { chunk: best, copies: bestCopies };
  }

  #candidates(source: Source, index: number): number {
    const has = source.has.words[index] as number;
    return has & ~(this.#held.words[index] as number) & ~(this.#ordered.words[index] as number);
  }

  /** The chunks we want that no other source has: those of the window when there are any, in the image's order. */
  #onlyAt(source: Source, fill: boolean): readonly ChunkRange[] {
    const inWindow = this.#onlyAtWithin(source, this.#reads.window.words);
    return inWindow.length > 0 ? inWindow : this.#onlyAtWithin(source, this.#idle(fill));
  }

  #onlyAtWithin(source: Source, within: Uint32Array | undefined): readonly ChunkRange[] {
    const chunks: number[] = [];
    let ranges = 0;
    for (let index = 0; index < source.has.words.length && ranges <= CHOICE_RANGES; index++) {
      let word = this.#candidates(source, index);
      if (within !== undefined) word &= within[index] as number;
      for (; word !== 0; word &= word - 1) {
        const chunk = (index << 5) + 31 - Math.clz32(word & -word);
        if ((this.#copies[chunk] as number) > 1) continue;
        if (chunks.at(-1) !== chunk - 1) ranges++;
        chunks.push(chunk);
      }
    }
    return toRanges(chunks).slice(0, CHOICE_RANGES);
  }

  #ship(source: Source, basket: Basket, out: Action[]): void {
    this.#confirm(source, out);
    const get = (chunks: number[], urgent: boolean, insist: boolean): void => {
      if (chunks.length === 0) return;
      const ranges = toRanges(chunks.sort((a, b) => a - b));
      const frame = { kind: 'get', choose: false, urgent, insist, count: chunks.length, ranges } as const;
      out.push({ kind: 'frame', conn: source.conn, frame });
    };
    get(basket.insist, true, true);
    get(basket.urgent, true, false);
    get(basket.exact, false, false);
    if (basket.choices === 0) return;
    const choice = { choose: true, urgent: false, insist: false, count: basket.choices, ranges: basket.choiceRanges };
    out.push({ kind: 'frame', conn: source.conn, frame: { kind: 'get', ...choice } });
  }

  #delay(source: Source): number {
    return (source.bytesOnOrder + this.#mean) / source.rate;
  }

  #order(source: Source, chunk: number, urgent: boolean, at: number): Order {
    const order = { at, urgent, bytes: this.#lengths.length(chunk), arriving: false };
    source.orders.set(chunk, order);
    source.bytesOnOrder += order.bytes;
    this.#ordered.add(chunk);
    return order;
  }

  #endOrder(source: Source, chunk: number): void {
    const order = source.orders.get(chunk);
    if (order === undefined) return;
    source.orders.delete(chunk);
    source.bytesOnOrder -= order.bytes;
    this.#unmark(chunk);
  }

  #unmark(chunk: number): void {
    for (const source of this.sources.values()) if (source.orders.has(chunk)) return;
    this.#ordered.delete(chunk);
  }

  #gain(source: Source, chunk: number): void {
    if (source.has.add(chunk)) this.#copies[chunk] = (this.#copies[chunk] as number) + 1;
  }

  #lose(source: Source, chunk: number): void {
    if (source.has.delete(chunk)) this.#copies[chunk] = (this.#copies[chunk] as number) - 1;
  }

  #measure(source: Source, bytes: number, orderedAt: number, now: number): void {
    const seconds = Math.max(now - Math.max(source.lastArrival, orderedAt), 0.05) / 1000;
    // The mean of seconds a byte, not of bytes a second: chunks that come in a burst would count for too much.
    source.rate = 1 / (0.75 / source.rate + 0.25 * (seconds / bytes));
    source.lastArrival = now;
    source.lastHeard = now;
    source.delivered++;
    source.strikes = 0;
    this.#rateBytes += bytes;
    if (now - this.#rateSince < 250) return;
    const rate = (this.#rateBytes * 1000) / (now - this.#rateSince);
    this.#rate = now - this.#rateSince > 2000 ? rate : 0.5 * this.#rate + 0.5 * rate;
    this.#rateSince = now;
    this.#rateBytes = 0;
  }
}

function basketOf(baskets: Map<Source, Basket>, source: Source): Basket {
  let basket = baskets.get(source);
  if (basket === undefined) {
    basket = { exact: [], urgent: [], insist: [], choices: 0, choiceRanges: [] };
    baskets.set(source, basket);
  }
  return basket;
}
