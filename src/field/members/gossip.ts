import type { Action } from '../event.ts';
import { EFFORT, HostAccounts } from '../shares/host-accounts.ts';
import { type Address, hostOf, isUnspecified } from '../wire/address.ts';
import { isSameBytes } from '../wire/bytes.ts';
import type { ChunkRange, ChunkSet } from '../wire/chunk-set.ts';
import { type Datagram, DOWN_LEFT, type Sections } from '../wire/datagram.ts';
import type { Kind } from '../wire/protocol.ts';
import { fits, formatNode, type NodeId, type NodeRecord, STATE_DOWN, STATE_LEAVING } from '../wire/record.ts';
import { Acquaintances } from './acquaintances.ts';
import { Answers, digestOf } from './answers.ts';
import { Belief } from './belief.ts';
import { Claims } from './claims.ts';
import type { GossipLinks, GossipOptions } from './gossip-options.ts';
import { Graves } from './graves.ts';
import { Joining } from './joining.ts';
import { Liveness, type Question } from './liveness.ts';
import { Members } from './members.ts';
import { Namesakes } from './namesakes.ts';
import { OwnRecord } from './own-record.ts';
import { Rooms } from './rooms.ts';
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
/** Joins whose answers still count. */
const JOINS_REMEMBERED = 4;
/** How often a tombstone is knocked at, in case a partition has healed. */
const KNOCK_MS = 5000;

/** Membership and the V-Table's spreading: Join, Find, Notify Up, Notify Down. */
export class Gossip {
  readonly table = new VTable();
  readonly own: OwnRecord;
  readonly #members: Members;
  readonly #options: GossipOptions;
  readonly #links: GossipLinks;
  readonly #liveness: Liveness;
  readonly #rumours = new Rumours();
  readonly #met = new Acquaintances();
  readonly #graves = new Graves();
  readonly #claims = new Claims();
  readonly #belief: Belief;
  readonly #namesakes = new Namesakes();
  readonly #effort = new HostAccounts(EFFORT);
  /** Of the last Joins: who answers them, whoever that is, has got one. */
  #joinNumbers: number[] = [];
  readonly #answers: Answers;
  readonly #joining: Joining;
  readonly #suspicion: Suspicion;
  readonly rooms: Rooms;
  #isDirty = false;
  #publishAt = 0;
  #publishedAt = 0;
  #published = 0;
  #probeAt = 0;
  #knockAt = 0;

  constructor(options: GossipOptions, links: GossipLinks) {
    this.#options = options;
    this.#links = links;
    this.own = new OwnRecord(options.node, options.life, options.address, options.room);
    this.#liveness = new Liveness(options.random);
    this.#members = new Members(this.table, options.node, options.random, (record) => !this.#isRefused(record.address));
    this.#joining = new Joining(options.peers, options.random);
    this.rooms = new Rooms({
      room: options.room ?? 0,
      isLocal: options.isLocal ?? (() => true),
      rtt: (node) => this.#liveness.leastRtts.get(node),
      leastRtt: () => this.#liveness.leastRtt,
    });
    this.#belief = new Belief({
      ...links,
      node: options.node,
      random: options.random,
      table: this.table,
      own: this.own,
      members: this.#members,
      liveness: this.#liveness,
      rumours: this.#rumours,
      claims: this.#claims,
      graves: this.#graves,
      namesakes: this.#namesakes,
      joining: this.#joining,
      published: () => this.#published,
      publish: (now) => this.#publish(now, true),
      ask: (question, also, out) => this.#ask('find', question, also, out),
    });
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

  /** Somebody has told of a node of this field. */
  hearOf(peer: Address, now: number, out: Action[]): void {
    if (peer === this.address || [...this.table.rows()].some(({ address }) => address === peer)) return;
    if (this.#joining.add(peer, now)) this.#join(now, out);
  }

  /** What this node holds, from now on; `changed` is to be called whenever the set has. */
  holdsIn(chunks: number, held: ChunkSet, share: number, now: number): void {
    this.own.setHeld(chunks, held, share);
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
      this.#claims.nextAt(),
    );
    return this.#isDirty ? Math.min(next, this.#publishAt) : next;
  }

  wake(now: number, out: Action[]): void {
    if (this.own.isDown) return;
    if (this.#isDirty && now >= this.#publishAt) this.#publish(now, false);
    if (now >= this.#joining.nextAt()) this.#join(now, out);
    this.#suspicion.hearSilence(now, out);
    this.#bury(now, out);
    for (const { record, teller } of this.#claims.undisputed(now)) {
      if (!this.#links.isHeard(record.node, now)) this.#belief.believe(record, teller, now, out);
    }
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
    if (this.own.isDown || this.#isRefused(from)) return true;
    if (datagram.kind === 'prove') return this.#proved(from, datagram, now, out);
    if (datagram.cookie !== undefined && !this.#met.isFreshlyProven(from, now)) {
      if (isSameBytes(datagram.cookie, this.#options.cookie(from))) this.prove(from, now);
    }
    const isProven = this.#met.isProven(from, now);
    // Of those who hear a call by multicast a few answer, however large the field.
    if (isMulticast && this.#options.random() * this.table.size > CALL_ANSWERS) return true;
    if (!isProven && (datagram.kind === 'join' || isMulticast)) {
      this.#answers.challenge(from, size, datagram.question, out);
      return true;
    }
    // What an address says that is neither proven nor a member's may come from anybody.
    const isMember = this.table.get(datagram.sender)?.address === from;
    if (isMember) this.#liveness.heard(datagram.sender, now);
    if (isProven || isMember) {
      for (const record of datagram.records ?? []) this.#belief.learn(record, from, datagram.sender, now, out);
      this.#suspicion.passOn(datagram, now, out);
    } else if (datagram.question === undefined) this.#answers.challenge(from, size, undefined, out);
    if (datagram.answer !== undefined) this.#answered(datagram.answer, datagram.sender, from, now);
    if (datagram.question !== undefined || datagram.kind === 'join')
      this.#answers.answer(from, datagram, size, isProven, out);
    if (isProven && this.#effort.spend(hostOf(from), this.#costOf(datagram), now)) {
      for (const sections of exchange(this.table, datagram, this.own.chunks, this.#options.random)) {
        this.#send('notify up', from, sections, out);
      }
    }
    return true;
  }

  /** To answer what another's table is like, this one is gone through. */
  #costOf({ buckets, scope, ranges, wants }: Datagram): number {
    const walks = (buckets === undefined ? 0 : 2) + (scope === undefined ? 0 : 1) + (ranges?.length ?? 0);
    return 32 + walks * this.table.size + (wants?.length ?? 0);
  }

  #join(now: number, out: Action[]): void {
    const { peers, everybody } = this.#joining.due(now, this.own.chunks > 0);
    const question = Math.floor(this.#options.random() * 2 ** 32);
    this.#joinNumbers = [question, ...this.#joinNumbers.slice(0, JOINS_REMEMBERED)];
    const sections = { records: [this.own.record()], question, digest: digestOf(this.table) };
    for (const peer of peers) this.#send('join', peer, sections, out);
    if (everybody && this.#options.multicast) out.push({ kind: 'multicast', datagram: this.#make('join', sections) });
  }

  /** Somebody wants to know that we are where we say we are: say it, and join. */
  #proved(from: Address, { cookie, observed, answer }: Datagram, now: number, out: Action[]): boolean {
    if (cookie === undefined) return false;
    // Only from where something was sent to: else anybody could have us write to anybody.
    const isAnswer = answer !== undefined && (this.#joinNumbers.includes(answer) || this.#liveness.isAsked(answer));
    if (!isAnswer && !this.#namesakes.isKnown(from) && !this.#met.isProven(from, now)) return true;
    this.#met.takeCookie(from, cookie);
    if (observed !== undefined && this.own.observed(observed)) this.#publish(now, true);
    this.#ask('join', { node: 0, address: from, at: now, isProbe: false }, [], out);
    return true;
  }

  /** @param isUrgent it is more than what has been gained */
  #publish(now: number, isUrgent: boolean): void {
    this.#isDirty = false;
    this.#publishedAt = now;
    this.own.bump();
    const record = this.own.record();
    this.table.merge(record);
    this.#rumours.add(record, isUrgent, now);
    this.#published = record.version;
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
    // Not asked, it is not found silent either: that is between it and the others.
    if (this.#isRefused(question.address)) return;
    const records = [this.own.record(), ...also];
    const sections = { records, question: this.#liveness.asked(question), digest: digestOf(this.table) };
    this.#send(kind, question.address, sections, out);
  }

  #answered(number: number, by: NodeId, from: Address, now: number): void {
    if (this.#joinNumbers.includes(number)) {
      this.#joining.answered();
      this.prove(from, now);
      return;
    }
    const question = this.#liveness.answered(number, by, now);
    if (question === undefined) return;
    this.#joining.answered();
    this.prove(question.address, now);
    // Whatever others say of it, it is there.
    if (this.table.get(by)?.address === question.address) this.#claims.drop(by);
    for (const node of this.#namesakes.answered(question.address, by)) {
      const record = this.table.get(node);
      if (record?.address === question.address && node !== this.#options.node) this.#belief.down(record, now);
    }
  }

  #bury(now: number, out: Action[]): void {
    for (const record of this.#suspicion.condemned(now)) {
      this.#belief.down(record, now);
      this.#tell(now, out, RUMOUR_FANOUT);
    }
    for (const node of this.#graves.forgotten(now)) this.table.forgetTombstone(node);
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

  #isRefused(address: Address): boolean {
    return this.#options.isRefused?.(hostOf(address)) === true;
  }

  #send(kind: Kind, to: Address, sections: Sections, out: Action[]): void {
    if (this.#isRefused(to)) return;
    const cookie = this.#met.cookie(to);
    const datagram = this.#make(kind, cookie === undefined ? sections : { ...sections, cookie });
    out.push({ kind: 'send', to, datagram });
  }
}
