import { chunkIndexFileSize } from '../image/chunk-index.ts';
import type { Action, FieldEvent } from './event.ts';
import { Arrivals } from './exchange/arrivals.ts';
import { Admission } from './exchange/connections/admission.ts';
import { Connections } from './exchange/connections/connections.ts';
import { Dialogue } from './exchange/connections/dialogue.ts';
import { Discipline } from './exchange/connections/discipline.ts';
import { Neighbours } from './exchange/connections/neighbours.ts';
import { OriginOrders } from './exchange/connections/origin-orders.ts';
import { FAULT_MS } from './exchange/connections/penalties.ts';
import { Search } from './exchange/connections/search.ts';
import { Foresight } from './exchange/fetching/foresight.ts';
import { IndexSeeker } from './exchange/index/index-seeker.ts';
import { IndexSpreader } from './exchange/index/index-spreader.ts';
import { PaperSeeker } from './exchange/index/paper-seeker.ts';
import { ProfileExchange } from './exchange/index/profile-exchange.ts';
import { Leaving } from './exchange/keeping/departure.ts';
import { shareOf } from './exchange/keeping/duty.ts';
import { Keeper, type KeptStock } from './exchange/keeping/keeper.ts';
import { SpareTime } from './exchange/keeping/spare-time.ts';
import { makeStock } from './exchange/stock.ts';
import type { MachineOptions } from './machine-options.ts';
import { Gossip } from './members/gossip.ts';
import { type Limits, NO_LIMITS } from './shares/limits.ts';
import { Throttles } from './shares/throttle.ts';
import { sidesOf } from './sides.ts';
import { Ticks } from './ticks.ts';
import type { Address } from './wire/address.ts';
import type { ChunkRange } from './wire/chunk-set.ts';
import { PIECE_BYTES } from './wire/frame.ts';
import { formatNode, type NodeId } from './wire/record.ts';

/** Who sent anything over a connection within this time is alive, whatever became of its datagrams. */
const HEARD_MS = 5000;

/**
 * V-FIELD of one node: takes what happens and when, gives what to do. It has no clock, no socket, no file and no
 * randomness of its own, so that the same code runs on a machine, in a test and, a thousandfold, in a simulator.
 */
export class FieldMachine {
  readonly gossip: Gossip;
  readonly #options: MachineOptions;
  readonly #neighbours: Neighbours;
  readonly #admission = new Admission();
  readonly #discipline: Discipline;
  /** What goes to peers, and what comes from them and from origins. */
  readonly #throttles = new Throttles();
  /** Reads that came before the index was known. */
  readonly #early = new Map<number, ChunkRange>();
  readonly #search: Search;
  readonly #origins: OriginOrders;
  /** Boot profiles as they go between nodes, and what this machine does by one. */
  readonly profiles = new ProfileExchange();
  readonly foresight: Foresight;
  readonly #spareTime: SpareTime;
  readonly #arrivals: Arrivals;
  /** Of the event that is handled. */
  #now = 0;
  #data: KeptStock | undefined;
  readonly #indexes: IndexSpreader;
  readonly #indexSeeker = new IndexSeeker();
  readonly #paperSeeker: PaperSeeker;
  readonly #dialogue: Dialogue;
  readonly #connections: Connections;
  readonly #ticks = new Ticks();
  readonly #leaving: Leaving;
  /** All of the image is wanted, beside reads too. */
  #isPreheating = false;
  #log: Action[] = [];

  constructor(options: MachineOptions) {
    this.#options = options;
    this.gossip = new Gossip(options, {
      isHeard: (node, now) => this.#isHeard(node, now),
      onUp: (record) => {
        const { node, address } = record;
        this.#neighbours.appeared(record, this.#data === undefined);
        this.#say(`${formatNode(node)} joined at ${address}`);
      },
      onDown: ({ node, address }, how) => {
        this.#connections.wentDown(node);
        this.#say(`${formatNode(node)} at ${address} ${how}`);
      },
    });
    const { node, fill, readsFirst = false } = options;
    this.#spareTime = new SpareTime({
      table: this.gossip.table,
      node,
      fill,
      readsFirst,
      isLeaving: () => this.#leaving.isOn,
      isPreheating: () => this.#isPreheating,
      stock: () => this.#data,
    });
    this.#throttles.set(options.limits ?? NO_LIMITS, 0);
    const indexBytes = (): number => chunkIndexFileSize(this.#data?.lengths.count ?? 0);
    this.#indexes = new IndexSpreader(this.#throttles.up, indexBytes);
    const isBanned = (node: NodeId): boolean => this.#isOut(node);
    const isOut = (address: Address, now: number): boolean => this.#discipline.isOut(address, now);
    this.#neighbours = new Neighbours(this.gossip.table, options.node, options.random, isOut);
    this.#discipline = new Discipline({
      table: this.gossip.table,
      admission: this.#admission,
      neighbours: () => this.#neighbours,
      isRefused: options.isRefused ?? (() => false),
    });
    const say = (text: string): void => this.#say(text);
    const common = { gossip: this.gossip, neighbours: this.#neighbours, say };
    this.#paperSeeker = new PaperSeeker(options.mustBeSigned ?? false);
    this.#search = new Search({ ...common, node: options.node, isBanned });
    const limit = this.#throttles.down;
    this.#origins = new OriginOrders({ ...common, node: options.node, hasOrigin: options.hasOrigin, isBanned, limit });
    this.#connections = new Connections({
      ...common,
      node: options.node,
      admission: this.#admission,
      discipline: this.#discipline,
      dialogue: () => this.#dialogue,
      indexes: this.#indexes,
      indexSeeker: this.#indexSeeker,
      paperSeeker: this.#paperSeeker,
      profiles: this.profiles,
      stock: () => this.#data,
    });
    this.foresight = new Foresight({
      ...common,
      profiles: this.profiles,
      origins: this.#origins,
      stock: () => this.#data,
    });
    this.#leaving = new Leaving({ ...common, data: () => this.#data });
    this.#arrivals = new Arrivals({
      connections: this.#connections,
      search: this.#search,
      foresight: this.foresight,
      origins: this.#origins,
      limit,
      isPreheating: () => this.#isPreheating,
      data: () => this.#data,
      say,
    });
    this.#dialogue = new Dialogue({
      guests: this.#admission.guests,
      neighbours: this.#neighbours,
      indexes: this.#indexes,
      indexSeeker: this.#indexSeeker,
      paperSeeker: this.#paperSeeker,
      profiles: this.profiles,
      stock: () => this.#data,
      lacked: (conn, ranges, now) => {
        const node = this.#neighbours.nodeOf(conn);
        if (node !== undefined) this.#origins.lacked(node, ranges, now);
      },
      ban: (conn, why, now, out) => this.#connections.ban(conn, why, FAULT_MS, now, out),
    });
  }

  get nodeId(): NodeId {
    return this.#options.node;
  }

  get data(): KeptStock | undefined {
    return this.#data;
  }

  /** Who is shut out now, and for what. */
  get banned(): ReadonlyMap<NodeId, string> {
    return this.#discipline.current(this.#now);
  }

  #isOut(node: NodeId): boolean {
    return this.#discipline.isNodeOut(node, this.#now);
  }

  /** When the machine wants a `wake`, at the latest. */
  nextWake(): number {
    const next = Math.min(this.gossip.nextWake(), this.#ticks.nextAt, this.#spareTime.nextAt(this.#now));
    const data = this.#data;
    if (data === undefined) return next;
    return Math.min(next, data.giver.nextAt(), data.fetcher.nextOrder(this.#now), this.#indexes.nextAt(this.#now));
  }

  /** Chunks were read out of memory: of those the field holds alike they are the last to go. Nothing follows from it. */
  touch(first: number, last: number, now: number): void {
    for (let chunk = first; chunk <= last; chunk++) this.#data?.keep.used(chunk, now);
  }

  handle(event: FieldEvent, now: number): Action[] {
    const out: Action[] = [];
    this.#now = now;
    this.#spareTime.see(event, now);
    this.#take(event, now, out);
    this.#connections.hangUp(now, out);
    const side = sidesOf(event);
    if (side.connect) this.#connect(now, out);
    if (this.#data !== undefined) {
      if (side.fetch) this.#data.fetcher.pump(now, out);
      if (side.give) this.#data.giver.pump(now, out);
      if (this.#origins.isToBring) this.#origins.ask(this.#data, now, out);
      this.#indexes.pump(now, out);
      this.#spareTime.look();
    }
    // Whatever starts something that has a deadline arms the tick; the tick itself sees whether it is still needed.
    if (out.length > 0 || event.kind === 'read' || this.#isPreheating) this.#ticks.start(now);
    if (this.#log.length > 0) {
      out.push(...this.#log);
      this.#log = [];
    }
    return out;
  }

  /** Whether something came from a node over a connection just now. */
  #isHeard(node: NodeId, now: number): boolean {
    return (
      this.#data !== undefined &&
      Math.max(this.#data.fetcher.lastHeard(node), this.#data.giver.lastHeard(node)) > now - HEARD_MS
    );
  }

  #isBusy(): boolean {
    const data = this.#data;
    if (data === undefined) return this.#indexSeeker.isWaiting || this.#paperSeeker.isWanting || this.gossip.isIn;
    return data.fetcher.busy || data.giver.busy || data.reads.length > 0 || this.#leaving.isOn || this.#isPreheating;
  }

  #take(event: FieldEvent, now: number, out: Action[]): void {
    switch (event.kind) {
      case 'start':
        this.gossip.start(now, out);
        return;
      case 'wake':
        this.#wake(now, out);
        return;
      case 'datagram':
        if (!this.gossip.datagram(event.from, event.datagram, event.size, event.isMulticast, now, out)) {
          this.#say(`datagram from ${event.from} does not fit this field`);
        }
        return;
      case 'connected':
        this.#connections.connected(event.conn, event.node, event.address, now, out);
        return;
      case 'accepted':
        this.#connections.accept(event.conn, event.node, event.address, now, out);
        return;
      case 'closed':
        this.#connections.closed(event.conn, event.why, event.hostile, now, out);
        return;
      case 'frame':
        this.#dialogue.frame(event.conn, event.frame, now, out);
        return;
      case 'incoming':
        if (this.#data?.fetcher.incoming(event.conn, event.chunk, event.chosen) === false) {
          out.push({ kind: 'close', conn: event.conn, why: 'sent what was not asked for' });
        }
        return;
      case 'chunk':
        this.#arrivals.fromPeer(event.conn, event.chunk, event.good, now, out);
        return;
      case 'origin':
        this.#arrivals.fromOrigin(event.chunk, event.good, now, out);
        return;
      case 'layout':
        this.#layout(event, now, out);
        return;
      case 'index':
        this.#throttles.down.took(PIECE_BYTES, now);
        this.#connections.indexPiece(event, now, out);
        return;
      case 'papers':
        if (this.#data === undefined) this.#connections.promised(now, out);
        return;
      case 'read':
        this.#read(event.read, event.chunks, now, out);
        return;
      case 'agenda':
      case 'first read':
      case 'seek profile':
      case 'give profile':
        this.foresight.take(event, now, out);
        return;
      case 'unread':
        this.#early.delete(event.read);
        this.#data?.reads.remove(event.read);
        this.#data?.keeper.trim(now, out);
        return;
      case 'unheld':
        this.#data?.keeper.unheld(event.chunks, now);
        return;
      case 'found':
        this.#data?.keeper.found(event.chunks, now, out);
        return;
      case 'unwritten':
        if (this.#data?.keeper.unwritten(event.chunk, now) === true) {
          this.#say('no room to keep more: what is needed takes the place of what others have');
        }
        return;
      case 'behind':
        this.#data?.keeper.behind(event.isBehind, now, out);
        return;
      case 'limits':
        this.#throttles.set(event.limits, now);
        return;
      case 'refusals':
        this.#connections.refuse(now, out);
        return;
      case 'preheat':
        this.#isPreheating = true;
        if (this.#data !== undefined) this.#origins.preheat(this.#data, now, out);
        return;
      case 'peer':
        this.gossip.hearOf(event.address, now, out);
        return;
      case 'leave':
        this.#leaving.begin(now, out);
        return;
    }
  }

  #wake(now: number, out: Action[]): void {
    if (this.#ticks.excuses(this.nextWake(), now)) return;
    this.gossip.wake(now, out);
    this.#data?.keeper.balance(now);
    if (!this.#ticks.isDue(now, () => this.#isBusy())) return;
    const data = this.#data;
    if (data === undefined) {
      this.#connections.askAgain(now, out);
      return;
    }
    this.#connections.dropSilent(data, now, out);
    data.fetcher.confirmAll(out);
    data.giver.breakPromises(now, out);
    for (const conn of data.giver.givenUp(now)) this.#connections.hangUpOn(conn, 'takes nothing', now, out);
    if (!this.#leaving.isOn) this.#connections.dropUseless(data, now, out);
    this.#origins.ask(data, now, out);
    this.#search.look(data, now, out, (chunk) => this.#origins.isAsked(chunk));
    this.#isPreheating &&= data.held.count < data.lengths.count;
    if (this.#isPreheating) this.#origins.preheat(data, now, out);
    this.#leaving.goOn(now, out);
  }

  #layout({ lengths, held: chunks, free }: FieldEvent & { kind: 'layout' }, now: number, out: Action[]): void {
    const { node: self, random, fill, keep: budget } = this.#options;
    const { up, down } = this.#throttles;
    const { table, rooms } = this.gossip;
    const about = { node: self, lengths, held: chunks, free, budget, random, up, down, table, rooms };
    const want = (node: NodeId): void => this.#neighbours.want(node);
    const stock = makeStock({ ...about, spareTime: this.#spareTime, want, origins: this.#origins }, now);
    this.#neighbours.afar = stock.imports;
    const { announced, fetcher, giver } = stock;
    const keeper = new Keeper(stock, {
      node: self,
      random,
      gossip: this.gossip,
      neighbours: this.#neighbours,
      isBanned: (node) => this.#isOut(node),
      mayBalance: () => fill && !this.#leaving.isOn,
    });
    this.#data = { ...stock, keeper };
    this.gossip.holdsIn(lengths.count, announced, fill ? shareOf(budget, lengths.size) : 0, now);
    for (const [conn, { node, address }] of this.#admission.guests) giver.accepted(conn, node, address, now);
    this.#dialogue.begin(giver, out);
    for (const { conn, node, address } of this.#neighbours.connected()) {
      fetcher.connected(conn, node, address, now);
      out.push({ kind: 'frame', conn, frame: { kind: 'subscribe' } });
    }
    this.#indexSeeker.found();
    this.#indexes.known(now, out);
    this.#data?.keeper.trim(now, out);
    for (const [read, range] of this.#early) this.#read(read, range, now, out);
    this.#early.clear();
  }

  get limits(): Limits {
    return this.#throttles.limits;
  }

  #read(read: number, chunks: ChunkRange, now: number, out: Action[]): void {
    const data = this.#data;
    if (data === undefined) {
      this.#early.set(read, chunks);
      return;
    }
    for (let chunk = chunks.start; chunk < chunks.end; chunk++) data.keep.used(chunk, now);
    if (data.reads.add(read, chunks)) out.push({ kind: 'ready', read });
    else this.#origins.ask(data, now, out);
  }

  #connect(now: number, out: Action[]): void {
    const data = this.#data;
    const isWanting =
      data === undefined ||
      data.reads.length > 0 ||
      data.swaps.count > 0 ||
      (this.#options.fill && (data.duty === undefined ? data.keep.hasRoom(1) : data.duty.isOpen));
    this.#connections.dial(isWanting, this.#leaving.isOn, now, out);
  }

  #say(text: string): void {
    this.#log.push({ kind: 'log', text });
  }
}
