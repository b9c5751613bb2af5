import type { Action } from '../event.ts';
import { type Address, isUnspecified } from '../wire/address.ts';
import type { ChunkRange, ChunkSet } from '../wire/chunk-set.ts';
import { type Datagram, DOWN_LEFT, type Sections } from '../wire/datagram.ts';
import type { Kind } from '../wire/protocol.ts';
import {
  fits,
  formatNode,
  isSameBytes,
  makeRecord,
  type NodeId,
  type NodeRecord,
  STATE_DOWN,
  STATE_LEAVING,
  saysTheSame,
} from '../wire/record.ts';
import { Acquaintances } from './acquaintances.ts';
import { Answers, digestOf } from './answers.ts';
import { Graves } from './graves.ts';
import { Joining } from './joining.ts';
import { Liveness, type Question } from './liveness.ts';
import { Members } from './members.ts';
import { OwnRecords } from './own-records.ts';
import { Rumours } from './rumours.ts';
import { Suspicion } from './suspicion.ts';
import { exchange, RECORD_BYTES } from './table-exchange.ts';
import { VTable } from './v-table.ts';

/** Members that answer a call by multicast, on average. */
const CALL_ANSWERS = 6;
/** One member is asked (Find) in each period: is it alive, is its table like mine? */
const PROBE_MS = 1000;
const RUMOUR_FANOUT = 2;
/**
 * What this node holds is published no more often than this; what it has gained, in large fields, less often: every
 * record goes to everybody, and over the connections it is heard sooner.
 */
const PUBLISH_MS = 2000;
const PUBLISH_MEMBER_MS = 150;
const PUBLISH_MOST_MS = 10_000;
/** How often a tombstone is knocked at, in case a partition has healed. */
const KNOCK_MS = 5000;

export interface GossipOptions {
  /** First 8 bytes of the image id as hex. */
  readonly field: string;
  readonly node: NodeId;
  /** Wall clock in ms at which the node started. */
  readonly life: number;
  /** Where this node listens; 0.0.0.0 until somebody tells it how it is seen. */
  readonly address: Address;
  /** Named peers: asked to let us in for as long as they are not in the table. */
  readonly peers: readonly Address[];
  readonly multicast: boolean;
  readonly random: () => number;
  /** Makes the cookie of an address: only who receives there can know it. */
  readonly cookie: (address: Address) => Uint8Array;
}

/** A node has said goodbye, gave no answer, or is gone as others tell. */
export type Departure = 'left' | 'is lost' | 'is gone';

/** What the rest of the node tells gossip, and hears from it. */
export interface GossipLinks {
  /** Whether something came from a node over a connection within the last few seconds: it is alive then. */
  readonly isHeard: (node: NodeId, now: number) => boolean;
  readonly onUp: (record: NodeRecord) => void;
  readonly onDown: (record: NodeRecord, how: Departure) => void;
}

/** Membership and the V-Table's spreading: Join, Find, Notify Up, Notify Down. */
export class Gossip {
  readonly table = new VTable();
  readonly own: OwnRecords;
  readonly #members: Members;
  readonly #options: GossipOptions;
  readonly #links: GossipLinks;
  readonly #liveness = new Liveness();
  readonly #rumours = new Rumours();
  readonly #met = new Acquaintances();
  readonly #graves = new Graves();
  readonly #answers: Answers;
  readonly #joining: Joining;
  readonly #suspicion: Suspicion;
  #isDirty = false;
  #publishAt = 0;
  #publishedAt = 0;
  #published = 0;
  #probeAt = 0;
  #knockAt = 0;

  constructor(options: GossipOptions, links: GossipLinks) {
    this.#options = options;
    this.#links = links;
    this.own = new OwnRecords(options.node, options.life, options.address);
    this.#members = new Members(this.table, options.node, options.random);
    this.#joining = new Joining(options.peers, options.random);
    this.#answers = new Answers({
      table: this.table,
      own: this.own,
      cookie: options.cookie,
      make: (kind, sections) => this.#make(kind, sections),
      send: (kind, to, sections, out) => this.#send(kind, to, sections, out),
    });
    this.#suspicion = new Suspicion({
      table: this.table,
      own: this.own,
      members: this.#members,
      liveness: this.#liveness,
      isHeard: links.isHeard,
      probe: (record, now, out) => this.#probe(record, now, out),
      send: (kind, to, sections, out) => this.#send(kind, to, sections, out),
    });
  }

  get address(): Address {
    return this.own.address;
  }

  /** Whether any other node has answered yet. */
  get isIn(): boolean {
    return this.#joining.isIn;
  }

  rtt(node: NodeId): number | undefined {
    return this.#liveness.rtts.get(node);
  }

  describe(node: NodeId): string {
    const record = this.table.get(node);
    return record === undefined ? formatNode(node) : `${formatNode(node)} at ${record.address}`;
  }

  start(now: number, out: Action[]): void {
    this.#publish(now, true);
    this.#joining.start(now);
    this.#probeAt = now + PROBE_MS * this.#options.random();
    this.wake(now, out);
  }

  /** What this node holds, from now on; `changed` is to be called whenever the set has. */
  holdsIn(chunks: number, held: ChunkSet, now: number): void {
    this.own.setHeld(chunks, held);
    // What was heard before the index was known may have been about another cut of the image.
    for (const record of [...this.table.rows()]) if (!fits(record, chunks)) this.table.remove(record.node);
    this.#publish(now, true);
  }

  /** @param isUrgent others must not count on what was said before: something is gone, or all is here */
  changed(isUrgent: boolean): void {
    if (!this.#isDirty || isUrgent) {
      const rest = isUrgent ? PUBLISH_MS : Math.max(PUBLISH_MS, PUBLISH_MEMBER_MS * this.table.size);
      this.#publishAt = this.#publishedAt + Math.min(rest, PUBLISH_MOST_MS);
    }
    this.#isDirty = true;
  }

  leaving(now: number, out: Action[]): void {
    this.own.setState(STATE_LEAVING);
    this.#publish(now, true);
    this.#tell(now, out, 4);
  }

  /** Says goodbye to as many as hear it at once; the rest hear it from them. */
  leave(out: Action[]): void {
    this.own.setState(STATE_DOWN);
    this.own.bump();
    const sections = { records: [this.own.record()], down: { node: this.#options.node, reason: DOWN_LEFT } };
    for (const peer of this.#members.pick(8)) this.#send('notify down', peer.address, sections, out);
    if (this.#options.multicast) out.push({ kind: 'multicast', datagram: this.#make('notify down', sections) });
  }

  /** Asks who holds these. Who does answers with a Notify Up. */
  find(ranges: readonly ChunkRange[], out: Action[]): void {
    const sections = { records: [this.own.record()], ranges, digest: digestOf(this.table) };
    for (const peer of this.#members.pick(3)) this.#send('find', peer.address, sections, out);
    if (this.#options.multicast) out.push({ kind: 'multicast', datagram: this.#make('find', sections) });
  }

  /** Something else (a connection that broke) makes a node's life doubtful: ask it now. */
  doubt(node: NodeId, now: number, out: Action[]): void {
    const record = this.table.get(node);
    if (record !== undefined && !this.#liveness.isSuspect(node)) this.#probe(record, now, out);
  }

  /** The address was met by other means (a TCP handshake): it is real. */
  prove(address: Address, now: number): void {
    this.#met.prove(address, now);
  }

  nextWake(): number {
    const next = Math.min(
      this.#probeAt,
      this.#knockAt,
      this.#joining.nextAt(),
      this.#rumours.nextAt,
      this.#liveness.nextAt(),
    );
    return this.#isDirty ? Math.min(next, this.#publishAt) : next;
  }

  wake(now: number, out: Action[]): void {
    if (this.own.isDown) return;
    if (this.#isDirty && now >= this.#publishAt) this.#publish(now, false);
    if (now >= this.#joining.nextAt()) this.#join(now, out);
    this.#suspicion.hearSilence(now, out);
    this.#bury(now, out);
    if (now >= this.#probeAt) {
      this.#probeAt = now + PROBE_MS;
      const next = this.#members.next();
      if (next !== undefined) this.#probe(next, now, out);
    }
    if (now >= this.#knockAt) this.#knock(now, out);
    if (now >= this.#rumours.nextAt) this.#tell(now, out, RUMOUR_FANOUT);
  }

  /**
   * @param size bytes it took on the wire: what an unproven address may get back
   * @returns false when the datagram cannot be of this field
   */
  datagram(from: Address, datagram: Datagram, size: number, isMulticast: boolean, now: number, out: Action[]): boolean {
    if (datagram.field !== this.#options.field || datagram.sender === this.#options.node) return true;
    if (this.own.chunks !== 0 && datagram.chunks !== 0 && datagram.chunks !== this.own.chunks) return false;
    if (this.own.isDown) return true;
    if (datagram.kind === 'prove') return this.#proved(from, datagram, now, out);
    if (datagram.cookie !== undefined && !this.#met.isFreshlyProven(from, now)) {
      if (isSameBytes(datagram.cookie, this.#options.cookie(from))) this.prove(from, now);
    }
    const isProven = this.#met.isProven(from, now);
    // Of those who hear a call by multicast a few answer, however large the field.
    if (isMulticast && this.#options.random() * this.table.size > CALL_ANSWERS) return true;
    if (!isProven && (datagram.kind === 'join' || isMulticast)) {
      this.#answers.challenge(from, size, out);
      return true;
    }
    // What an address says that is neither proven nor a member's may come from anybody.
    const isMember = this.table.get(datagram.sender)?.address === from;
    if (isMember) this.#liveness.heard(datagram.sender, now);
    if (isProven || isMember) {
      for (const record of datagram.records ?? []) this.#learn(record, from, datagram.sender, now);
      this.#suspicion.passOn(datagram, out);
    } else if (datagram.question === undefined) this.#answers.challenge(from, size, out);
    if (datagram.answer !== undefined) this.#answered(datagram.answer, datagram.sender, now);
    if (datagram.question !== undefined || datagram.kind === 'join')
      this.#answers.answer(from, datagram, size, isProven, out);
    if (isProven) {
      for (const sections of exchange(this.table, datagram, this.#options.random)) {
        this.#send('notify up', from, sections, out);
      }
    }
    return true;
  }

  #join(now: number, out: Action[]): void {
    const { peers, everybody } = this.#joining.due(now, this.own.chunks > 0);
    const sections = { records: [this.own.record()], digest: digestOf(this.table) };
    for (const peer of peers) this.#send('join', peer, sections, out);
    if (everybody && this.#options.multicast) out.push({ kind: 'multicast', datagram: this.#make('join', sections) });
  }

  /** Somebody wants to know that we are where we say we are: say it, and join. */
  #proved(from: Address, { cookie, observed }: Datagram, now: number, out: Action[]): boolean {
    if (cookie === undefined) return false;
    this.#met.takeCookie(from, cookie);
    if (observed !== undefined && this.own.observed(observed)) this.#publish(now, true);
    this.#ask('join', { node: 0, address: from, at: now, isProbe: false }, [], out);
    return true;
  }

  #learn(received: NodeRecord, from: Address, sender: NodeId, now: number): void {
    if (received.node === this.#options.node) {
      if (this.own.hear(received, this.#published)) this.#publish(now, true);
      return;
    }
    if (this.own.chunks !== 0 && !fits(received, this.own.chunks)) return;
    // Only the node itself may leave its address open: it is where its datagram came from.
    if (isUnspecified(received.address) && received.node !== sender) return;
    const record = isUnspecified(received.address) ? locate(received, from) : received;
    const before = this.table.get(record.node);
    if (this.table.merge(record) !== 'news') return;
    this.#liveness.clear(record.node, record);
    if (record.state === STATE_DOWN) {
      this.#rumours.add(record, true, now);
      this.#graves.dig(record.node, now);
      if (before !== undefined) this.#wentDown(before, record.node === sender ? 'left' : 'is gone');
      return;
    }
    const isNew = before === undefined || before.life !== record.life;
    this.#rumours.add(record, isNew || before.state !== record.state, now);
    if (!isNew) return;
    this.#graves.close(record.node);
    this.#members.appeared(record.node);
    this.#evictNamesakes(record, now);
    this.#joining.look(this.table.nodes(), this.own.address);
    if (record.part === 0) this.#links.onUp(record);
  }

  /** One address, one node: who came later is there now. */
  #evictNamesakes(record: NodeRecord, now: number): void {
    for (const other of [...this.table.nodes()]) {
      if (other.address !== record.address || other.node === record.node) continue;
      if (other.node === this.#options.node) continue;
      this.#down(other.life <= record.life ? other : record, now);
    }
  }

  /** `all`: also what has not changed, because others may have forgotten it. */
  #publish(now: number, all: boolean): void {
    this.#isDirty = false;
    this.#publishedAt = now;
    this.own.bump();
    for (const record of this.own.records()) {
      const known = this.table.get(record.node, record.part);
      // Part 0 stands for the node and goes out in any case.
      if (!all && record.part > 0 && known !== undefined && saysTheSame(known, record)) continue;
      this.table.merge(record);
      this.#rumours.add(record, all, now);
      if (record.part === 0) this.#published = record.version;
    }
  }

  #tell(now: number, out: Action[], fanout: number): void {
    const peers = this.#members.pick(fanout);
    if (peers.length === 0) {
      this.#rumours.postpone(now);
      return;
    }
    const records = this.#rumours.take(RECORD_BYTES, peers.length, this.table.size, now);
    if (records.length === 0) return;
    for (const peer of peers) this.#send('notify up', peer.address, { records }, out);
  }

  /** Is it alive, and is its table like ours? */
  #probe(record: NodeRecord, now: number, out: Action[]): void {
    const { node, address } = record;
    this.#ask('find', { node, address, at: now, isProbe: true }, [], out);
  }

  #ask(kind: Kind, question: Question, also: readonly NodeRecord[], out: Action[]): void {
    const records = [this.own.record(), ...also];
    const sections = { records, question: this.#liveness.asked(question), digest: digestOf(this.table) };
    this.#send(kind, question.address, sections, out);
  }

  #answered(number: number, by: NodeId, now: number): void {
    const question = this.#liveness.answered(number, by, now);
    if (question === undefined) return;
    this.#joining.answered();
    this.prove(question.address, now);
  }

  #bury(now: number, out: Action[]): void {
    for (const record of this.#suspicion.condemned(now)) {
      this.#down(record, now);
      this.#tell(now, out, RUMOUR_FANOUT);
    }
    for (const node of this.#graves.forgotten(now)) this.table.forgetTombstone(node);
  }

  #down(record: NodeRecord, now: number): void {
    const down = this.table.tombstoneFor(record, this.own.chunks);
    if (this.table.merge(down) !== 'news') return;
    this.#graves.dig(record.node, now);
    this.#rumours.add(down, true, now);
    this.#wentDown(record, 'is lost');
  }

  #wentDown(record: NodeRecord, how: Departure): void {
    this.#liveness.forget(record.node);
    this.#joining.look(this.table.nodes(), this.own.address);
    this.#links.onDown(record, how);
  }

  /** A partition that has healed is noticed by asking the dead. */
  #knock(now: number, out: Action[]): void {
    this.#knockAt = now + KNOCK_MS * (0.5 + this.#options.random());
    const graves = [...this.table.tombstones()];
    const grave = graves[Math.floor(this.#options.random() * graves.length)];
    if (grave === undefined || isUnspecified(grave.address)) return;
    // It hears what is thought of it, and says otherwise if it can.
    const { node, address } = grave;
    this.#ask('find', { node, address, at: now, isProbe: false }, [grave], out);
  }

  #make(kind: Kind, sections: Sections): Datagram {
    return { kind, field: this.#options.field, sender: this.#options.node, chunks: this.own.chunks, ...sections };
  }

  #send(kind: Kind, to: Address, sections: Sections, out: Action[]): void {
    const cookie = this.#met.cookie(to);
    const datagram = this.#make(kind, cookie === undefined ? sections : { ...sections, cookie });
    out.push({ kind: 'send', to, datagram });
  }
}

/** A record without an address of its own, at the address its datagram came from; the port is its own. */
function locate(record: NodeRecord, from: Address): NodeRecord {
  const port = record.address.slice(record.address.lastIndexOf(':'));
  return makeRecord({ ...record, address: from.slice(0, from.lastIndexOf(':')) + port });
}
