import { type Address, isUnspecified } from './address.ts';
import type { ChunkRange, ChunkSet } from './chunk-set.ts';
import {
  type Datagram,
  DOWN_LEFT,
  DOWN_LOST,
  datagramSize,
  HEADER_SIZE,
  type RowName,
  SCOPE_SIZE,
  type Sections,
  type Summary,
} from './datagram.ts';
import type { Action } from './event.ts';
import { packHoldings } from './holdings.ts';
import {
  compareRecords,
  formatNode,
  keyOf,
  makeRecord,
  type NodeId,
  type NodeRecord,
  partCount,
  partRange,
  recordCodec,
  STATE_DOWN,
  STATE_LEAVING,
  STATE_UP,
} from './record.ts';
import { BUCKETS, bucketOf, VTable } from './v-table.ts';
import { DATAGRAM_TARGET, type Kind } from './wire.ts';

/** Joins are repeated until somebody answers: soon at first, for a machine that waits for its root. */
const JOIN_FIRST_MS = 200;
const JOIN_LAST_MS = 500;
/** A member calls out by multicast so often: two fields that never met, or a healed partition, find each other. */
const CALL_MS = 30_000;
/** One member is asked (Find) in each period: is it alive, is its table like mine? */
const PROBE_MS = 1000;
const ANSWER_MS = 500;
/** Questions without answer before a node is suspected, and the time it has to refute before it is down. */
const SILENCES = 2;
const SUSPECT_MS = 4000;
/**
 * News are passed on in datagrams this far apart, to so many nodes each time: a bound on what gossip can cost. Who came
 * and went is told soon; what is held changes with every chunk in a crowd, and is told faster over the connections.
 */
const NEWS_MS = 250;
const HOLDINGS_NEWS_MS = 1000;
const NEWS_FANOUT = 2;
/** Own changes are published no more often than this. */
const PUBLISH_MS = 2000;
/** How long a tombstone keeps old records out, and how often one is knocked at in case a partition has healed. */
const GRAVE_MS = 600_000;
const KNOCK_MS = 5000;
/** Datagrams of one answer to a proven address. */
const BURST = 8;
/** Addresses believed to be real, and for how long. */
const PROVEN_LIMIT = 16_384;
const PROVEN_MS = 600_000;
/** With no more rows than this, an answer names them all instead of going by way of the buckets. */
const SUMMARY_ROWS = 80;

export interface GossipOptions {
  readonly field: string;
  readonly node: NodeId;
  readonly life: number;
  /** Where this node listens; 0.0.0.0 until somebody tells it how it is seen. */
  readonly address: Address;
  /** Named peers: asked to let us in for as long as they are not in the table. */
  readonly peers: readonly Address[];
  readonly multicast: boolean;
  readonly random: () => number;
  /** Makes and checks cookies: a keyed hash of an address and an hour. */
  readonly cookie: (address: Address) => Uint8Array;
}

interface Question {
  readonly node: NodeId;
  readonly address: Address;
  readonly at: number;
  readonly probe: boolean;
}

interface Rumour {
  readonly record: NodeRecord;
  sent: number;
}

/** Membership and the V-Table's spreading: Join, Find, Notify Up, Notify Down. */
export class Gossip {
  readonly table = new VTable();
  readonly #options: GossipOptions;
  readonly #proven = new Map<Address, number>();
  readonly #cookies = new Map<Address, Uint8Array>();
  readonly #questions = new Map<number, Question>();
  readonly #silences = new Map<NodeId, number>();
  readonly #suspects = new Map<NodeId, { readonly record: NodeRecord; readonly until: number }>();
  readonly #graves = new Map<NodeId, number>();
  readonly #rumours = new Map<number, Rumour>();
  readonly rtts = new Map<NodeId, number>();
  /** Members in the order they are asked in, shuffled anew in each round. */
  #round: NodeId[] = [];
  #nextQuestion = 1;
  #life: number;
  #version = 0;
  #address: Address;
  #state = STATE_UP;
  #chunks = 0;
  #held: ChunkSet | undefined;
  #dirty = false;
  #joinAt = 0;
  #joinEvery = JOIN_FIRST_MS;
  #callAt = 0;
  #probeAt = 0;
  #newsAt = 0;
  #publishAt = 0;
  #knockAt = 0;
  #isIn = false;
  #missing: readonly Address[];
  /** Hears of nodes that come and go. */
  onUp: (record: NodeRecord) => void = () => {};
  onDown: (record: NodeRecord, left: boolean) => void = () => {};

  constructor(options: GossipOptions) {
    this.#options = options;
    this.#life = options.life;
    this.#address = options.address;
    this.#missing = options.peers;
  }

  get address(): Address {
    return this.#address;
  }

  /** Whether this node has heard from any other. */
  get isIn(): boolean {
    return this.#isIn;
  }

  start(now: number, out: Action[]): void {
    this.#publish(now);
    this.#joinAt = now;
    this.#callAt = now + CALL_MS * (0.5 + this.#options.random());
    this.#probeAt = now + PROBE_MS * this.#options.random();
    this.wake(now, out);
  }

  /** What this node holds, from now on; `changed` is to be called whenever the set has. */
  holdsIn(chunks: number, held: ChunkSet, now: number): void {
    this.#chunks = chunks;
    this.#held = held;
    // What was heard before the index was known may have been about another cut of the image.
    for (const record of [...this.table.rows()]) {
      if (!fits(record, chunks)) this.table.remove(record.node);
    }
    this.#publish(now);
  }

  changed(): void {
    this.#dirty = true;
  }

  leaving(now: number, out: Action[]): void {
    this.#state = STATE_LEAVING;
    this.#publish(now, true);
    this.#spread(now, out, 4);
  }

  /** Says goodbye to as many as hear it at once; the rest hear it from them. */
  leave(now: number, out: Action[]): void {
    this.#state = STATE_DOWN;
    this.#version++;
    const record = this.#own(0);
    const down = { node: this.#options.node, reason: DOWN_LEFT };
    for (const peer of this.#pick(8)) this.#send('notify down', peer.address, { records: [record], down }, now, out);
    if (this.#options.multicast)
      out.push({ kind: 'multicast', datagram: this.#make('notify down', { records: [record], down }) });
  }

  /** Asks who holds these; the answers are Notify Ups. */
  find(ranges: readonly ChunkRange[], now: number, out: Action[]): void {
    const sections = { records: [this.#own(0)], ranges, digest: this.#digest() };
    for (const peer of this.#pick(3)) this.#send('find', peer.address, sections, now, out);
    if (this.#options.multicast) out.push({ kind: 'multicast', datagram: this.#make('find', sections) });
  }

  /** Something else (a connection that broke) makes a node's life doubtful: ask it now. */
  doubt(node: NodeId, now: number, out: Action[]): void {
    const record = this.table.get(node);
    if (record === undefined || this.#suspects.has(node)) return;
    this.#ask(record, now, out);
  }

  /** The address was met by other means (a TCP handshake): it is real. */
  prove(address: Address, now: number): void {
    this.#proven.delete(address);
    this.#proven.set(address, now);
    if (this.#proven.size <= PROVEN_LIMIT) return;
    for (const oldest of this.#proven.keys()) {
      this.#proven.delete(oldest);
      return;
    }
  }

  nextWake(): number {
    let next = Math.min(this.#probeAt, this.#callAt, this.#knockAt);
    if (this.#mustJoin()) next = Math.min(next, this.#joinAt);
    if (this.#rumours.size > 0) next = Math.min(next, this.#newsAt);
    if (this.#dirty) next = Math.min(next, this.#publishAt);
    for (const { at } of this.#questions.values()) next = Math.min(next, at + ANSWER_MS);
    for (const { until } of this.#suspects.values()) next = Math.min(next, until);
    return next;
  }

  wake(now: number, out: Action[]): void {
    if (this.#dirty && now >= this.#publishAt) this.#publish(now);
    if (this.#mustJoin() && now >= this.#joinAt) this.#join(now, out);
    if (now >= this.#callAt) {
      this.#callAt = now + CALL_MS * (0.5 + this.#options.random());
      if (this.#options.multicast)
        out.push({ kind: 'multicast', datagram: this.#make('join', { records: [this.#own(0)] }) });
    }
    this.#silent(now, out);
    this.#bury(now, out);
    if (now >= this.#probeAt) {
      this.#probeAt = now + PROBE_MS;
      const next = this.#nextInRound();
      if (next !== undefined) this.#ask(next, now, out);
    }
    if (now >= this.#knockAt) this.#knock(now, out);
    if (this.#rumours.size > 0 && now >= this.#newsAt) this.#spread(now, out, NEWS_FANOUT);
  }

  /** @returns false when the datagram makes no sense */
  datagram(from: Address, datagram: Datagram, size: number, now: number, out: Action[]): boolean {
    if (datagram.field !== this.#options.field || datagram.sender === this.#options.node) return true;
    if (this.#chunks !== 0 && datagram.chunks !== 0 && datagram.chunks !== this.#chunks) return false;
    if (datagram.kind === 'prove') return this.#proved(from, datagram, now, out);
    if (datagram.cookie !== undefined && equal(datagram.cookie, this.#options.cookie(from))) this.prove(from, now);
    const isProven = now - (this.#proven.get(from) ?? Number.NEGATIVE_INFINITY) < PROVEN_MS;
    if (datagram.kind === 'join' && !isProven) {
      this.#challenge(from, datagram, size, now, out);
      return true;
    }
    for (const record of datagram.records ?? []) this.#learn(record, from, datagram.sender, now);
    if (datagram.answer !== undefined) this.#answered(datagram, now);
    if (datagram.question !== undefined || datagram.kind === 'join')
      this.#answer(from, datagram, size, isProven, now, out);
    else if (datagram.buckets !== undefined || datagram.wants !== undefined || datagram.summaries !== undefined) {
      this.#reconcile(from, datagram, isProven, now, out);
    }
    return true;
  }

  #mustJoin(): boolean {
    return !this.#isIn || this.#missing.length > 0;
  }

  /** Named peers that the table does not have. Looked for when nodes come and go, not with every packet. */
  #findMissingPeers(): void {
    if (this.#options.peers.length === 0) return;
    const known = new Set<Address>();
    for (const { address } of this.table.nodes()) known.add(address);
    this.#missing = this.#options.peers.filter((peer) => !known.has(peer) && peer !== this.#address);
  }

  #join(now: number, out: Action[]): void {
    const sections = { records: [this.#own(0)] };
    for (const peer of this.#missing) this.#send('join', peer, sections, now, out);
    if (!this.#isIn && this.#options.multicast) out.push({ kind: 'multicast', datagram: this.#make('join', sections) });
    this.#joinAt = now + this.#joinEvery * (0.75 + 0.5 * this.#options.random());
    this.#joinEvery = Math.min(this.#joinEvery * 1.5, this.#isIn && this.#held !== undefined ? CALL_MS : JOIN_LAST_MS);
  }

  /** Who joins by multicast is answered by some, not by all: three on average however large the field. */
  #challenge(from: Address, datagram: Datagram, size: number, now: number, out: Action[]): void {
    const isNamed = this.#options.peers.includes(from);
    if (!isNamed && this.#options.random() * Math.max(1, this.table.size) > 4 && this.#isIn) {
      // A named join comes to one node only, and again soon; the chance rises with every repeat it makes elsewhere.
      if ((datagram.question ?? 0) === 0 && this.table.size > 8) {
        if (this.#options.random() * this.table.size > 12) return;
      }
    }
    const answer = this.#make('prove', { cookie: this.#options.cookie(from), observed: from });
    if (datagramSize(answer) <= size) out.push({ kind: 'send', to: from, datagram: answer });
    void now;
  }

  /** Somebody wants to know that we are where we say we are: tell it, and join. */
  #proved(from: Address, { cookie, observed }: Datagram, now: number, out: Action[]): boolean {
    if (cookie === undefined) return false;
    this.#cookies.set(from, cookie);
    if (this.#cookies.size > 64) for (const first of this.#cookies.keys()) if (this.#cookies.delete(first)) break;
    if (observed !== undefined && isUnspecified(this.#address) && !isUnspecified(observed)) {
      const port = this.#address.slice(this.#address.lastIndexOf(':'));
      this.#address = observed.slice(0, observed.lastIndexOf(':')) + port;
      this.#publish(now);
    }
    this.#sendQuestion('join', { node: 0, address: from, at: now, probe: false }, { cookie }, now, out);
    return true;
  }

  #learn(received: NodeRecord, from: Address, sender: NodeId, now: number): void {
    let record = received;
    if (record.node === this.#options.node) {
      this.#hearOfSelf(record, now);
      return;
    }
    if (this.#chunks !== 0 && !fits(record, this.#chunks)) return;
    if (isUnspecified(record.address)) {
      // Only the node itself may leave its address open; what its datagram came from is it.
      if (record.node !== sender) return;
      const port = record.address.slice(record.address.lastIndexOf(':'));
      record = makeRecord({ ...record, address: from.slice(0, from.lastIndexOf(':')) + port });
    }
    const before = this.table.get(record.node);
    const wasSuspect = this.#suspects.get(record.node);
    if (this.table.merge(record) !== 'news') return;
    const isChange = before === undefined || before.life !== record.life || before.state !== record.state;
    this.#rumour(record, isChange, now);
    if (record.state === STATE_DOWN) {
      this.#graves.set(record.node, now);
      this.#suspects.delete(record.node);
      if (before !== undefined) this.#wentDown(before, true);
      return;
    }
    if (wasSuspect !== undefined && compareRecords(record, wasSuspect.record) > 0) this.#suspects.delete(record.node);
    if (before === undefined || before.life !== record.life) {
      this.#graves.delete(record.node);
      this.#evictNamesakes(record, now);
      this.#findMissingPeers();
      this.onUp(record);
    }
  }

  /** One address, one node: who came later is there now. */
  #evictNamesakes(record: NodeRecord, now: number): void {
    for (const other of [...this.table.nodes()]) {
      if (other.address !== record.address || other.node === record.node) continue;
      const older = other.life <= record.life ? other : record;
      this.#down(older, now, false);
    }
  }

  /** Others may think we are gone, or remember an earlier life of ours: say something newer. */
  #hearOfSelf(record: NodeRecord, now: number): void {
    if (record.life > this.#life) {
      this.#life = record.life + 1;
      this.#version = 0;
    } else if (record.life < this.#life || this.#state === STATE_DOWN) return;
    else if (record.state === STATE_DOWN && record.version >= this.#firstVersion())
      this.#version = Math.max(this.#version, record.version);
    else if (record.version > this.#version) this.#version = record.version;
    else return;
    this.#publish(now, true);
  }

  #firstVersion(): number {
    const own = this.table.get(this.#options.node);
    return own?.version ?? 0;
  }

  #own(part: number): NodeRecord {
    const { node } = this.#options;
    const range = this.#held === undefined ? { start: 0, end: 0 } : partRange(this.#chunks, part);
    const holdings =
      this.#held === undefined || this.#state === STATE_DOWN
        ? { start: range.start, size: range.end - range.start, count: 0, form: 0, packed: new Uint8Array(0) }
        : packHoldings(this.#held, range);
    return makeRecord({
      node,
      life: this.#life,
      version: this.#version,
      state: this.#state,
      address: this.#address,
      part,
      holdings,
    });
  }

  #publish(now: number, all = false): void {
    this.#dirty = false;
    this.#publishAt = now + PUBLISH_MS;
    this.#version++;
    for (let part = 0; part < (this.#held === undefined ? 1 : partCount(this.#chunks)); part++) {
      const record = this.#own(part);
      const known = this.table.get(record.node, part);
      // Part 0 stands for the node and goes out in any case; another only when what it says has changed.
      if (!all && part > 0 && known !== undefined && same(known, record)) continue;
      if (this.table.merge(record) === 'news') this.#rumour(record, all, now);
    }
  }

  #rumour(record: NodeRecord, isUrgent: boolean, now: number): void {
    const key = keyOf(record.node, record.part);
    this.#newsAt = Math.min(
      this.#rumours.size === 0 ? Number.POSITIVE_INFINITY : this.#newsAt,
      now + (isUrgent ? NEWS_MS : HOLDINGS_NEWS_MS),
    );
    this.#rumours.delete(key);
    this.#rumours.set(key, { record, sent: 0 });
  }

  /** Passes on news, the least told first, until each has been told about as often as it takes to reach everybody. */
  #spread(now: number, out: Action[], fanout: number): void {
    this.#newsAt = now + HOLDINGS_NEWS_MS;
    const enough = Math.ceil(Math.log2(this.table.size + 2)) + 1;
    const budget = DATAGRAM_TARGET - HEADER_SIZE - 8;
    const byTold = [...this.#rumours].sort((a, b) => a[1].sent - b[1].sent);
    const records: NodeRecord[] = [];
    let size = 0;
    const peers = this.#pick(fanout);
    if (peers.length === 0) return;
    let isMore = false;
    for (const [key, rumour] of byTold) {
      const bytes = recordCodec.sizeOf(rumour.record);
      if (size + bytes > budget && records.length > 0) {
        isMore = true;
        break;
      }
      size += bytes;
      records.push(rumour.record);
      rumour.sent += peers.length;
      if (rumour.sent >= enough) this.#rumours.delete(key);
    }
    if (isMore) this.#newsAt = now + NEWS_MS;
    for (const peer of peers) this.#send('notify up', peer.address, { records }, now, out);
  }

  #pick(count: number): NodeRecord[] {
    const rows = this.table.rows();
    const picked: NodeRecord[] = [];
    for (let tries = 0; tries < count * 6 && picked.length < count; tries++) {
      const record = rows[Math.floor(this.#options.random() * rows.length)];
      if (record === undefined || record.node === this.#options.node) continue;
      if (!picked.some((other) => other.node === record.node)) picked.push(record);
    }
    return picked;
  }

  #nextInRound(): NodeRecord | undefined {
    for (let refilled = false; ; ) {
      const node = this.#round.pop();
      if (node === undefined) {
        if (refilled) return undefined;
        refilled = true;
        this.#round = [...this.table.nodes()].map((record) => record.node).filter((id) => id !== this.#options.node);
        shuffle(this.#round, this.#options.random);
        continue;
      }
      const record = this.table.get(node);
      if (record !== undefined) return record;
    }
  }

  #ask(record: NodeRecord, now: number, out: Action[]): void {
    const question = { node: record.node, address: record.address, at: now, probe: true };
    this.#sendQuestion('find', question, { records: [this.#own(0)], digest: this.#digest() }, now, out);
  }

  #sendQuestion(kind: Kind, question: Question, sections: Sections, now: number, out: Action[]): void {
    const number = this.#nextQuestion;
    this.#nextQuestion = (this.#nextQuestion % 0xffffffff) + 1;
    this.#questions.set(number, question);
    const records = sections.records ?? [this.#own(0)];
    this.#send(kind, question.address, { ...sections, records, question: number, digest: this.#digest() }, now, out);
  }

  #digest(): { sum: number; rows: number } {
    return { sum: this.table.digest(), rows: this.table.size };
  }

  /** Answers with ourselves, and, when the tables differ, with what brings them together. */
  #answer(from: Address, datagram: Datagram, size: number, isProven: boolean, now: number, out: Action[]): void {
    const sections: Sections = { records: [this.#own(0)], digest: this.#digest() };
    if (datagram.question !== undefined) sections.answer = datagram.question;
    const differs =
      datagram.digest !== undefined &&
      (datagram.digest.sum !== this.table.digest() || datagram.digest.rows !== this.table.size);
    if (!isProven) {
      const short = this.#make('notify up', sections);
      if (datagramSize(short) > size) sections.records = [];
      if (datagramSize(this.#make('notify up', sections)) <= size) this.#send('notify up', from, sections, now, out);
      if (differs) {
        const prove = this.#make('prove', { cookie: this.#options.cookie(from), observed: from });
        // Both together stay within what was asked with, or the address must first be proven by another question.
        if (datagramSize(prove) <= size - datagramSize(this.#make('notify up', sections))) {
          out.push({ kind: 'send', to: from, datagram: prove });
        }
      }
      return;
    }
    if (!differs) this.#send('notify up', from, sections, now, out);
    else if (this.table.size <= SUMMARY_ROWS && (datagram.digest?.rows ?? 0) <= SUMMARY_ROWS * 4) {
      const scope = new Uint8Array(SCOPE_SIZE).fill(255);
      this.#send('notify up', from, { ...sections, scope, summaries: this.#summaries(scope) }, now, out);
    } else {
      this.#send('notify up', from, { ...sections, records: [], buckets: this.table.buckets }, now, out);
    }
    if (datagram.wants !== undefined || datagram.summaries !== undefined)
      this.#reconcile(from, datagram, true, now, out);
  }

  #answered(datagram: Datagram, now: number): void {
    const number = datagram.answer ?? 0;
    const question = this.#questions.get(number);
    if (question === undefined) return;
    this.#questions.delete(number);
    this.#isIn = true;
    this.#joinEvery = JOIN_LAST_MS;
    this.prove(question.address, now);
    this.#silences.delete(datagram.sender);
    const rtt = now - question.at;
    const known = this.rtts.get(datagram.sender);
    this.rtts.set(datagram.sender, known === undefined ? rtt : known * 0.8 + rtt * 0.2);
  }

  /** Brings two tables together: sends what the other lacks, asks for what it has that is not here. */
  #reconcile(from: Address, datagram: Datagram, isProven: boolean, now: number, out: Action[]): void {
    if (!isProven) return;
    if (datagram.buckets !== undefined) {
      const scope = this.#differing(datagram.buckets);
      this.#send('notify up', from, { scope, summaries: this.#summaries(scope) }, now, out);
    }
    const missing: NodeRecord[] = [];
    for (const { node, part } of datagram.wants ?? []) {
      const record = this.table.get(node, part) ?? this.table.tombstone(node);
      if (record !== undefined) missing.push(record);
    }
    const wants: RowName[] = [];
    if (datagram.summaries !== undefined && datagram.scope !== undefined) {
      const theirs = new Map<number, Summary>(datagram.summaries.map((each) => [keyOf(each.node, each.part), each]));
      for (const record of this.table.rows()) {
        if (!inScope(datagram.scope, bucketOf(record.node))) continue;
        const key = keyOf(record.node, record.part);
        const their = theirs.get(key);
        theirs.delete(key);
        if (their?.hash === record.hash) continue;
        missing.push(record);
        if (their !== undefined) wants.push({ node: record.node, part: record.part });
      }
      for (const { node, part } of theirs.values()) {
        // What they still list and we know to be gone, they should know too.
        const grave = this.table.tombstone(node);
        if (grave !== undefined) missing.push(grave);
        wants.push({ node, part });
      }
    }
    this.#sendRecords(from, missing, wants, now, out);
  }

  #sendRecords(
    from: Address,
    records: readonly NodeRecord[],
    wants: readonly RowName[],
    now: number,
    out: Action[],
  ): void {
    const wanted = wants.slice(0, 128);
    let batch: NodeRecord[] = [];
    let size = wanted.length * 7;
    let sent = 0;
    let ask: readonly RowName[] = wanted;
    const flush = (): void => {
      if (batch.length === 0 && ask.length === 0) return;
      this.#send('notify up', from, ask.length > 0 ? { records: batch, wants: ask } : { records: batch }, now, out);
      batch = [];
      ask = [];
      size = 0;
      sent++;
    };
    for (const record of records) {
      const bytes = recordCodec.sizeOf(record);
      if (size + bytes > DATAGRAM_TARGET - HEADER_SIZE - 16) flush();
      if (sent >= BURST) return;
      batch.push(record);
      size += bytes;
    }
    flush();
  }

  /** Buckets that differ, as many as one datagram can name the rows of, starting anywhere. */
  #differing(theirs: Uint32Array): Uint8Array {
    const scope = new Uint8Array(SCOPE_SIZE);
    const counts = new Uint16Array(BUCKETS);
    for (const { node } of this.table.rows()) counts[bucketOf(node)] = (counts[bucketOf(node)] as number) + 1;
    const first = Math.floor(this.#options.random() * BUCKETS);
    let rows = 0;
    for (let i = 0; i < BUCKETS; i++) {
      const bucket = (first + i) % BUCKETS;
      if (theirs[bucket] === this.table.buckets[bucket]) continue;
      if (rows > 0 && rows + (counts[bucket] as number) > SUMMARY_ROWS) break;
      rows += counts[bucket] as number;
      scope[bucket >>> 3] = (scope[bucket >>> 3] as number) | (1 << (bucket & 7));
    }
    return scope;
  }

  #summaries(scope: Uint8Array): Summary[] {
    const summaries: Summary[] = [];
    for (const { node, part, hash } of this.table.rows()) {
      if (inScope(scope, bucketOf(node))) summaries.push({ node, part, hash });
    }
    return summaries;
  }

  /** Questions nobody answered: after a few, the node is suspected, and everybody hears of it, the node included. */
  #silent(now: number, out: Action[]): void {
    for (const [number, question] of this.#questions) {
      if (now < question.at + ANSWER_MS) continue;
      this.#questions.delete(number);
      const record = question.probe ? this.table.get(question.node) : undefined;
      if (record === undefined || this.#suspects.has(record.node)) continue;
      const silences = (this.#silences.get(record.node) ?? 0) + 1;
      this.#silences.set(record.node, silences);
      if (silences <= SILENCES) {
        this.#ask(record, now, out);
        continue;
      }
      this.#silences.delete(record.node);
      this.#suspects.set(record.node, { record, until: now + SUSPECT_MS });
      // Not yet merged here: told to it and to a few others, who may reach it where we do not.
      const down = makeRecord({ ...record, state: STATE_DOWN, part: 0, holdings: nothing(record) });
      const sections = { records: [down], down: { node: record.node, reason: DOWN_LOST } };
      this.#send('notify down', record.address, sections, now, out);
    }
  }

  #bury(now: number, out: Action[]): void {
    for (const [node, { record, until }] of this.#suspects) {
      if (now < until) continue;
      this.#suspects.delete(node);
      const current = this.table.get(node);
      if (current === undefined || compareRecords(current, record) > 0) continue;
      this.#down(current, now, false);
      this.#spread(now, out, NEWS_FANOUT);
    }
    for (const [node, at] of this.#graves) {
      if (now - at < GRAVE_MS) continue;
      this.#graves.delete(node);
      this.table.forgetTombstone(node);
    }
  }

  #down(record: NodeRecord, now: number, left: boolean): void {
    let version = record.version;
    for (let part = 1; part < partCount(Math.max(1, this.#chunks)); part++) {
      version = Math.max(version, this.table.get(record.node, part)?.version ?? 0);
    }
    const down = makeRecord({ ...record, version, state: STATE_DOWN, part: 0, holdings: nothing(record) });
    if (this.table.merge(down) !== 'news') return;
    this.#graves.set(record.node, now);
    this.#rumour(down, true, now);
    this.#wentDown(record, left);
  }

  #wentDown(record: NodeRecord, left: boolean): void {
    this.#findMissingPeers();
    this.onDown(record, left);
  }

  /** A partition that healed is noticed by asking the dead. */
  #knock(now: number, out: Action[]): void {
    this.#knockAt = now + KNOCK_MS * (0.5 + this.#options.random());
    const graves = [...this.table.tombstones()];
    const grave = graves[Math.floor(this.#options.random() * graves.length)];
    if (grave === undefined || isUnspecified(grave.address)) return;
    const sections = { records: [this.#own(0), grave], digest: this.#digest() };
    this.#sendQuestion('find', { node: grave.node, address: grave.address, at: now, probe: false }, sections, now, out);
  }

  #make(kind: Kind, sections: Sections): Datagram {
    return { kind, field: this.#options.field, sender: this.#options.node, chunks: this.#chunks, ...sections };
  }

  #send(kind: Kind, to: Address, sections: Sections, _now: number, out: Action[]): void {
    const cookie = this.#cookies.get(to);
    const datagram = this.#make(kind, cookie === undefined ? sections : { ...sections, cookie });
    out.push({ kind: 'send', to, datagram });
  }

  describe(node: NodeId): string {
    const record = this.table.get(node);
    return record === undefined ? formatNode(node) : `${formatNode(node)} (${record.address})`;
  }
}

function nothing(record: NodeRecord): NodeRecord['holdings'] {
  return {
    start: 0,
    size: record.holdings.start === 0 ? record.holdings.size : 0,
    count: 0,
    form: 0,
    packed: new Uint8Array(0),
  };
}

function fits({ holdings, part }: NodeRecord, chunks: number): boolean {
  if (holdings.size === 0) return true;
  const { start, end } = partRange(chunks, part);
  return holdings.start === start && holdings.size === end - start;
}

function same(a: NodeRecord, b: NodeRecord): boolean {
  return (
    a.life === b.life &&
    a.state === b.state &&
    a.address === b.address &&
    a.holdings.form === b.holdings.form &&
    a.holdings.count === b.holdings.count &&
    equal(a.holdings.packed, b.holdings.packed)
  );
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function inScope(scope: Uint8Array, bucket: number): boolean {
  return ((scope[bucket >>> 3] as number) & (1 << (bucket & 7))) !== 0;
}

function shuffle<T>(list: T[], random: () => number): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j] as T, list[i] as T];
  }
}
