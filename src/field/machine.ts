import type { Action, ConnectionId, FieldEvent } from './event.ts';
import { Admission } from './exchange/admission.ts';
import { Departure } from './exchange/departure.ts';
import { Dialogue } from './exchange/dialogue.ts';
import { shareOf } from './exchange/duty.ts';
import { Idleness } from './exchange/idleness.ts';
import { IndexSeeker } from './exchange/index-seeker.ts';
import { IndexSpreader } from './exchange/index-spreader.ts';
import { Keeper } from './exchange/keeper.ts';
import { Neighbours } from './exchange/neighbours.ts';
import { FAULT_MS, LIE_MS, Penalties } from './exchange/penalties.ts';
import { Search } from './exchange/search.ts';
import { makeStock, type Stock } from './exchange/stock.ts';
import { Gossip, type GossipOptions } from './members/gossip.ts';
import { sidesOf } from './sides.ts';
import { type Address, hostOf } from './wire/address.ts';
import type { ChunkRange, ChunkSet } from './wire/chunk-set.ts';
import { toRanges } from './wire/ranges.ts';
import { formatNode, type NodeId } from './wire/record.ts';

/** While anything is on order or on its way, deadlines are looked at this often. */
const TICK_MS = 200;
/**
 * A wake that comes so much too late shows that this machine was too busy to listen: before anybody is found silent, what
 * waits in the sockets is taken. Once in a while only: who is always late must judge too.
 */
const LATE_MS = 250;
const EXCUSE_MS = 1000;
/** Who sent anything over a connection within this time is alive, whatever became of its datagrams. */
const HEARD_MS = 5000;

export interface MachineOptions extends Omit<GossipOptions, 'random'> {
  readonly random: () => number;
  /** Bytes of chunks to keep, those on a local medium not counted. */
  readonly keep: number;
  /** Fetch what the field holds least of in idle time. */
  readonly fill: boolean;
  /** This machine runs from the field: idle time begins when it has stopped reading, and not beside its reads. */
  readonly readsFirst?: boolean;
  /** There are origins to ask when no peer has a chunk. */
  readonly hasOrigin: boolean;
}

interface Data extends Stock {
  readonly keeper: Keeper;
}

/**
 * V-FIELD of one node: takes what happens and when, gives what to do. It has no clock, no socket, no file and no
 * randomness of its own, so that the same code runs on a machine, in a test and, a thousandfold, in a simulator.
 */
export class FieldMachine {
  readonly gossip: Gossip;
  readonly #options: MachineOptions;
  readonly #neighbours: Neighbours;
  readonly #admission = new Admission();
  /** Addresses that gave what they should not, and hosts whose guests did not keep to the protocol. */
  readonly #sources = new Penalties();
  readonly #hosts = new Penalties();
  /** Reads that came before the index was known. */
  readonly #early = new Map<number, ChunkRange>();
  readonly #search: Search;
  readonly #idleness = new Idleness();
  /** Of the event that is handled. */
  #now = 0;
  #data: Data | undefined;
  readonly #indexes = new IndexSpreader();
  readonly #indexSeeker = new IndexSeeker();
  readonly #dialogue: Dialogue;
  #excusedAt = 0;
  #tickAt = Number.POSITIVE_INFINITY;
  #leaving: Departure | undefined;
  /** Nodes that went down since the last event: their connections are of no use any more. */
  #gone: NodeId[] = [];
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
        this.#gone.push(node);
        this.#say(`${formatNode(node)} at ${address} ${how}`);
      },
    });
    const isBanned = (node: NodeId): boolean => this.#isOut(node);
    const isOut = (address: Address, now: number): boolean => this.#sources.isOut(address, now);
    this.#neighbours = new Neighbours(this.gossip.table, options.node, options.random, isOut);
    this.#search = new Search({
      node: options.node,
      hasOrigin: options.hasOrigin,
      gossip: this.gossip,
      neighbours: this.#neighbours,
      isBanned,
      say: (text) => this.#say(text),
    });
    this.#dialogue = new Dialogue({
      guests: this.#admission.guests,
      neighbours: this.#neighbours,
      indexes: this.#indexes,
      indexSeeker: this.#indexSeeker,
      stock: () => this.#data,
      ban: (conn, why, now, out) => this.#ban(conn, why, FAULT_MS, now, out),
    });
  }

  get nodeId(): NodeId {
    return this.#options.node;
  }

  get data(): Data | undefined {
    return this.#data;
  }

  /** Who is shut out now, and for what. */
  get banned(): ReadonlyMap<NodeId, string> {
    const out = [...this.#sources.current(this.#now), ...this.#hosts.current(this.#now)];
    return new Map(out.map(({ node, why }) => [node, why]));
  }

  #isOut(node: NodeId): boolean {
    const address = this.gossip.table.get(node)?.address;
    return address !== undefined && this.#sources.isOut(address, this.#now);
  }

  /** When the machine wants a `wake`, at the latest. */
  nextWake(): number {
    return Math.min(this.gossip.nextWake(), this.#tickAt, this.#data?.giver.nextNews() ?? Number.POSITIVE_INFINITY);
  }

  /** Chunks were read out of memory: of those the field holds alike they are the last to go. Nothing follows from it. */
  touch(first: number, last: number, now: number): void {
    for (let chunk = first; chunk <= last; chunk++) this.#data?.keep.used(chunk, now);
  }

  handle(event: FieldEvent, now: number): Action[] {
    const out: Action[] = [];
    this.#now = now;
    if (event.kind === 'read') this.#idleness.read(now);
    this.#take(event, now, out);
    if (this.#gone.length > 0) this.#hangUp(now, out);
    const side = sidesOf(event);
    if (side.connect) this.#connect(now, out);
    if (this.#data !== undefined) {
      if (side.fetch) this.#data.fetcher.pump(now, out);
      if (side.give) this.#data.giver.pump(now, out);
    }
    // Whatever starts something that has a deadline arms the tick; the tick itself sees whether it is still needed.
    if (this.#tickAt === Number.POSITIVE_INFINITY && (out.length > 0 || event.kind === 'read')) {
      this.#tickAt = now + TICK_MS;
    }
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

  #hangUp(now: number, out: Action[]): void {
    const gone = new Set(this.#gone);
    this.#gone = [];
    this.#closeAll(gone, 'is gone', now, out);
  }

  #closeAll(nodes: ReadonlySet<NodeId>, why: string, now: number, out: Action[]): void {
    const conns = this.#admission.connectionsOf(nodes);
    for (const { conn, node } of this.#neighbours.connected()) if (nodes.has(node)) conns.push(conn);
    for (const conn of conns) this.#hangUpOn(conn, why, now, out);
  }

  #hangUpOn(conn: ConnectionId, why: string, now: number, out: Action[]): void {
    out.push({ kind: 'close', conn, why });
    this.#closed(conn, why, false, now, out);
  }

  #isBusy(): boolean {
    const data = this.#data;
    if (data === undefined) return this.#indexSeeker.isWaiting || this.gossip.isIn;
    return data.fetcher.busy || data.giver.busy || data.reads.length > 0 || this.#leaving !== undefined;
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
        this.#connected(event.conn, event.node, event.address, now, out);
        return;
      case 'accepted':
        this.#accept(event.conn, event.node, event.address, now, out);
        return;
      case 'closed':
        this.#closed(event.conn, event.why, event.hostile, now, out);
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
        this.#chunk(event.conn, event.chunk, event.good, now, out);
        return;
      case 'origin':
        if (event.good) this.#gain(event.chunk, now, out);
        return;
      case 'layout':
        this.#layout(event, now, out);
        return;
      case 'index':
        if (!event.good) this.#ban(event.conn, 'gave a false index', LIE_MS, now, out);
        else if (
          this.#data === undefined &&
          !this.#indexSeeker.arrived(event.conn, event.piece, event.wanted, now, out)
        ) {
          out.push({ kind: 'close', conn: event.conn, why: 'sent an index that was not asked for' });
        }
        return;
      case 'read':
        this.#read(event.read, event.chunks, now, out);
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
      case 'leave':
        this.#leave(now, out);
        return;
    }
  }

  #wake(now: number, out: Action[]): void {
    if (now - this.nextWake() > LATE_MS && now - this.#excusedAt > EXCUSE_MS) {
      this.#excusedAt = now;
      return;
    }
    this.gossip.wake(now, out);
    this.#data?.keeper.balance(now);
    if (now < this.#tickAt) return;
    this.#tickAt = this.#isBusy() ? now + TICK_MS : Number.POSITIVE_INFINITY;
    const data = this.#data;
    if (data === undefined) {
      this.#indexSeeker.again(this.#neighbours.connected(), now, out);
      return;
    }
    for (const source of data.fetcher.overdue(now)) {
      data.fetcher.withdraw(source, out);
      this.gossip.doubt(source.node, now, out);
      if (source.strikes > 2) {
        this.#neighbours.avoid(source.node, now);
        out.push({ kind: 'close', conn: source.conn, why: 'does not deliver' });
      }
    }
    data.fetcher.confirmAll(out);
    data.giver.breakPromises(now, out);
    for (const conn of data.giver.givenUp(now)) this.#hangUpOn(conn, 'takes nothing', now, out);
    for (const conn of this.#leaving === undefined
      ? this.#neighbours.useless(data.fetcher, data.held, interestOf(data), now)
      : []) {
      out.push({ kind: 'close', conn, why: 'has nothing new' });
    }
    this.#search.look(data, now, out);
    this.#goOn(now, out);
  }

  #layout({ lengths, held: chunks, free }: FieldEvent & { kind: 'layout' }, now: number, out: Action[]): void {
    const { node: self, random, fill, keep: budget } = this.#options;
    const mayFill = (): boolean => this.#mayFill();
    const stock = makeStock({ node: self, lengths, held: chunks, free, budget, random, mayFill }, now);
    const { announced, fetcher, giver } = stock;
    const keeper = new Keeper(stock, {
      node: self,
      random,
      gossip: this.gossip,
      neighbours: this.#neighbours,
      isBanned: (node) => this.#isOut(node),
      mayBalance: () => fill && this.#leaving === undefined,
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

  #connected(conn: ConnectionId, node: NodeId, address: Address, now: number, out: Action[]): void {
    if (this.#sources.isOut(this.#neighbours.addressOf(conn) ?? address, now) || node === this.#options.node) {
      this.#neighbours.closed(conn, now);
      out.push({ kind: 'close', conn, why: 'not wanted' });
      return;
    }
    this.#neighbours.opened(conn, node);
    this.gossip.prove(address, now);
    if (this.#data === undefined) {
      this.#indexSeeker.ask(conn, now, out);
      return;
    }
    this.#data.fetcher.connected(conn, node, address, now);
    out.push({ kind: 'frame', conn, frame: { kind: 'subscribe' } });
  }

  #accept(conn: ConnectionId, node: NodeId, address: Address, now: number, out: Action[]): void {
    if (this.#sources.isOut(address, now)) {
      out.push({ kind: 'close', conn, why: 'shut out' });
      return;
    }
    const isSuspect = this.#hosts.isOut(hostOf(address), now);
    const idleTime = (other: ConnectionId): number =>
      this.#data?.giver.idleTime(other, now) ?? Number.POSITIVE_INFINITY;
    const verdict = this.#admission.admit(conn, { node, address }, isSuspect, now, idleTime);
    if (verdict.kind === 'no room') {
      out.push({ kind: 'frame', conn, frame: { kind: 'refuse', others: verdict.others } });
      out.push({ kind: 'close', conn, why: verdict.kind });
      return;
    }
    this.#data?.giver.accepted(conn, node, address, now);
    if (verdict.instead !== undefined) this.#hangUpOn(verdict.instead, 'makes room for others', now, out);
  }

  #closed(conn: ConnectionId, why: string, hostile: boolean, now: number, out: Action[]): void {
    const node = this.#nodeOf(conn);
    if (hostile) this.#punish(conn, why, FAULT_MS, now);
    this.#admission.closed(conn);
    this.#dialogue.closed(conn);
    this.#indexes.done(conn);
    this.#neighbours.closed(conn, now);
    this.#indexSeeker.done(conn);
    this.#data?.giver.closed(conn);
    this.#data?.fetcher.closed(conn);
    if (node !== undefined) this.gossip.doubt(node, now, out);
  }

  #chunk(conn: ConnectionId, chunk: number, good: boolean, now: number, out: Action[]): void {
    const data = this.#data;
    if (data === undefined) return;
    for (const other of data.fetcher.arrived(conn, chunk, good, now)) {
      out.push({ kind: 'frame', conn: other, frame: { kind: 'cancel', ranges: toRanges([chunk]) } });
    }
    if (good) this.#gain(chunk, now, out);
    else this.#ban(conn, 'gave a false chunk', LIE_MS, now, out);
  }

  #gain(chunk: number, now: number, out: Action[]): void {
    const data = this.#data;
    if (data?.keeper.gain(chunk, now, out) !== true) return;
    this.#search.found(chunk);
    if (data.held.count === data.lengths.count) this.#say(`holds the whole image, ${data.lengths.count} chunks`);
  }

  #mayFill(): boolean {
    const { fill, readsFirst = false } = this.#options;
    return fill && this.#leaving === undefined && (!readsFirst || this.#idleness.mayFill(this.#now));
  }

  #read(read: number, chunks: ChunkRange, now: number, out: Action[]): void {
    const data = this.#data;
    if (data === undefined) {
      this.#early.set(read, chunks);
      return;
    }
    for (let chunk = chunks.start; chunk < chunks.end; chunk++) data.keep.used(chunk, now);
    if (data.reads.add(read, chunks)) out.push({ kind: 'ready', read });
  }

  #connect(now: number, out: Action[]): void {
    const data = this.#data;
    const isComplete = data !== undefined && data.held.count === data.lengths.count;
    if (this.#leaving !== undefined) {
      const wanted = this.#neighbours.planWanted(now);
      for (const { conn, address } of wanted) out.push({ kind: 'dial', conn, address });
      return;
    }
    if (isComplete) {
      for (const { conn } of this.#neighbours.connected()) out.push({ kind: 'close', conn, why: 'has all' });
      return;
    }
    const isWanting =
      data === undefined ||
      data.reads.length > 0 ||
      data.swaps.count > 0 ||
      (this.#options.fill && (data.duty === undefined ? data.keep.hasRoom(1) : data.duty.isOpen));
    if (!isWanting) return;
    for (const { conn, address } of this.#neighbours.plan(data?.held, now, data && interestOf(data)))
      out.push({ kind: 'dial', conn, address });
  }

  #leave(now: number, out: Action[]): void {
    if (this.#leaving !== undefined) return;
    this.#leaving = new Departure(this.#data?.keeper, now);
    if (this.#leaving.left > 0) this.#say(`leaving: ${this.#leaving.left} chunks are held nowhere else yet`);
    this.gossip.leaving(now, out);
    this.#goOn(now, out);
  }

  #goOn(now: number, out: Action[]): void {
    // What others hold is to be known exactly now.
    if (this.#leaving !== undefined) {
      for (const node of this.#data?.keeper.partHolders() ?? []) this.#neighbours.want(node);
    }
    const sent = this.#data?.giver.sent ?? 0;
    if (this.#leaving?.mayGo(this.#data?.keeper, sent, this.gossip.table.size, now) !== true) return;
    const { left } = this.#leaving;
    if (left > 0) this.#say(`leaving: the field loses ${left} chunks that only this node holds`);
    this.gossip.leave(out);
    out.push({ kind: 'gone' });
  }

  #ban(conn: ConnectionId, why: string, firstMs: number, now: number, out: Action[]): void {
    const address = this.#punish(conn, why, firstMs, now);
    // Whatever else came from where a false source is goes with it.
    const conns = address === undefined ? [] : this.#admission.connectionsFrom(address);
    for (const each of new Set([conn, ...conns])) this.#hangUpOn(each, why, now, out);
  }

  /** @returns the address that was dialled, when it is a source that is shut out */
  #punish(conn: ConnectionId, why: string, firstMs: number, now: number): Address | undefined {
    const node = this.#nodeOf(conn);
    if (node === undefined) return undefined;
    const guest = this.#admission.guests.get(conn);
    const address = guest === undefined ? this.#neighbours.addressOf(conn) : hostOf(guest.address);
    if (address === undefined) return undefined;
    const penalties = guest === undefined ? this.#sources : this.#hosts;
    const isNews = !penalties.isOut(address, now);
    const time = penalties.punish(address, node, why, firstMs, now);
    if (isNews) this.#say(`${formatNode(node)} at ${address} ${why}: shut out for ${Math.round(time / 1000)} s`);
    return guest === undefined ? address : undefined;
  }

  #nodeOf(conn: ConnectionId): NodeId | undefined {
    return this.#admission.guests.get(conn)?.node ?? this.#neighbours.nodeOf(conn);
  }

  #say(text: string): void {
    this.#log.push({ kind: 'log', text });
  }
}

/** What is wanted of others; undefined: anything. */
function interestOf({ duty, reads }: Stock): ChunkSet | undefined {
  return duty === undefined || reads.length > 0 ? undefined : duty.chunks;
}
