import type { ConnectionId } from '../../event.ts';
import type { VTable } from '../../members/v-table.ts';
import { type Address, hostOf } from '../../wire/address.ts';
import type { ChunkSet } from '../../wire/chunk-set.ts';
import type { NodeId, NodeRecord } from '../../wire/record.ts';
import { LEVEL, levelOf, type Summary, summarize } from '../../wire/summary.ts';
import type { Fetcher } from '../fetching/fetcher.ts';

/** Nodes fetched from at a time, and as many more for what only they have. */
const SOURCES = 6;
const SOURCES_LIMIT = 12;
/** Beside these, nodes of other rooms that something is fetched from. */
const FAR_SOURCES = 2;
/** Dials under way at once. */
const DIALS = 6;
/** A node that could not be reached, or had no room, is left alone so long. */
const RETRY_MS = 1500;
/** A source is given up for another when it has had nothing for us so long. */
const USELESS_MS = 3000;

interface Dial {
  readonly conn: ConnectionId;
  readonly node: NodeId;
  readonly address: Address;
  isOpen: boolean;
  uselessSince: number;
}

/** Who is in another room, and whether anything is to be fetched from there. */
export interface Afar {
  isFar(node: NodeId): boolean;
  readonly isWanted: boolean;
}

/** Which nodes to fetch from. */
export class Neighbours {
  readonly #table: VTable;
  readonly #self: NodeId;
  readonly #random: () => number;
  readonly #isOut: (address: Address, now: number) => boolean;
  readonly #dials = new Map<ConnectionId, Dial>();
  readonly #byNode = new Map<NodeId, Dial>();
  readonly #avoided = new Map<NodeId, number>();
  /** Nodes that somebody pointed at, or that alone have what a read waits for: dialled first. */
  readonly #wanted = new Map<NodeId, Address>();
  /** What is known of other rooms; undefined: nothing yet. */
  afar: Afar | undefined;
  #nextConn = 1;
  #planAt = 0;

  constructor(table: VTable, self: NodeId, random: () => number, isOut: (address: Address, now: number) => boolean) {
    this.#table = table;
    this.#self = self;
    this.#random = random;
    this.#isOut = isOut;
  }

  connected(): Dial[] {
    return [...this.#dials.values()].filter(({ isOpen }) => isOpen);
  }

  /** Also those that are being dialled. */
  all(): Dial[] {
    return [...this.#dials.values()];
  }

  nodeOf(conn: ConnectionId): NodeId | undefined {
    return this.#dials.get(conn)?.node;
  }

  /** The address that was dialled. */
  addressOf(conn: ConnectionId): Address | undefined {
    return this.#dials.get(conn)?.address;
  }

  hostOf(conn: ConnectionId): string | undefined {
    const address = this.addressOf(conn);
    return address === undefined ? undefined : hostOf(address);
  }

  pointed(node: NodeId, address: Address): void {
    if (node !== this.#self && !this.#byNode.has(node) && this.#wanted.size < 64) this.#wanted.set(node, address);
  }

  isConnected(node: NodeId): boolean {
    return this.#byNode.get(node)?.isOpen === true;
  }

  want(node: NodeId): void {
    const record = this.#table.get(node);
    if (record !== undefined) this.pointed(node, record.address);
  }

  avoid(node: NodeId, now: number): void {
    this.#avoided.set(node, now + 4 * RETRY_MS);
  }

  /**
   * It is there, maybe again: what was held against it is forgotten.
   * @param isWaiting for the index: whoever has it is dialled without delay
   */
  appeared({ node, summary }: NodeRecord, isWaiting: boolean): void {
    this.#avoided.delete(node);
    if (isWaiting && summary.regions > 0) this.#planAt = 0;
  }

  refused(conn: ConnectionId, now: number): void {
    const dial = this.#dials.get(conn);
    if (dial !== undefined) this.#avoided.set(dial.node, now + RETRY_MS);
  }

  opened(conn: ConnectionId, node: NodeId): void {
    const dial = this.#dials.get(conn);
    if (dial === undefined) return;
    dial.isOpen = true;
    if (dial.node === node) return;
    // Another node lives at this address now than the table said.
    this.#byNode.delete(dial.node);
    const renamed = { ...dial, node };
    this.#dials.set(conn, renamed);
    this.#byNode.set(node, renamed);
  }

  closed(conn: ConnectionId, now: number): void {
    const dial = this.#dials.get(conn);
    if (dial === undefined) return;
    this.#dials.delete(conn);
    if (this.#byNode.get(dial.node) === dial) this.#byNode.delete(dial.node);
    if (!dial.isOpen || !this.#avoided.has(dial.node)) this.#avoided.set(dial.node, now + RETRY_MS);
  }

  /** Sources that hold nothing we lack while others do. @param interest what is wanted; undefined: anything */
  useless(fetcher: Fetcher, held: ChunkSet, interest: ChunkSet | undefined, now: number): ConnectionId[] {
    const found: ConnectionId[] = [];
    let farLeft = this.afar?.isWanted === false ? 0 : FAR_SOURCES;
    for (const source of fetcher.sources.values()) {
      const dial = this.#dials.get(source.conn);
      if (dial === undefined || !source.known) continue;
      const isTooMany = this.#isFar(dial.node) && --farLeft < 0;
      const isUseful =
        source.bytesOnOrder > 0 ||
        (!isTooMany &&
          source.has.words.some((word, i) => (word & ~(held.words[i] as number) & (interest?.words[i] ?? -1)) !== 0));
      if (isUseful) dial.uselessSince = now;
      else if (now - dial.uselessSince > USELESS_MS && this.#table.size > SOURCES) found.push(source.conn);
    }
    return found;
  }

  /** Whom to dial now. `held` undefined: any node that has an index will do. */
  plan(held: ChunkSet | undefined, now: number, interest?: ChunkSet): { conn: ConnectionId; address: Address }[] {
    const limit = held === undefined ? 2 : SOURCES;
    const most = limit + (this.afar?.isWanted === true ? FAR_SOURCES : 0);
    if (this.#wanted.size === 0 && (this.#dials.size >= most || now < this.#planAt)) return [];
    let room = DIALS - this.#dialling();
    const planned = this.planWanted(now);
    room -= planned.length;
    if (room <= 0 || now < this.#planAt) return planned;
    const left = this.#placesLeft(limit);
    const hasPlace = (node: NodeId): boolean => (this.#isFar(node) ? left.far : left.near) > 0;
    const holders: NodeId[] = [];
    const others: NodeId[] = [];
    const own = held && summarize(held);
    const wanted = interest && summarize(interest);
    for (const { node, address, summary } of this.#table.rows()) {
      if (!hasPlace(node) || !this.#isDialable(node, address, now)) continue;
      if (own === undefined) {
        // Who knows how many regions there are knows the index.
        if (summary.regions > 0) holders.push(node);
      } else if (mayHoldOther(summary, own, wanted)) holders.push(node);
      else others.push(node);
    }
    for (; room > 0 && holders.length + others.length > 0; room--) {
      const from = holders.length > 0 ? holders : others;
      const at = Math.floor(this.#random() * from.length);
      const [node] = from.splice(at, 1);
      const record = node === undefined ? undefined : this.#table.get(node);
      if (node !== undefined && record !== undefined && hasPlace(node) && this.#isDialable(node, record.address, now)) {
        left[this.#isFar(node) ? 'far' : 'near']--;
        planned.push(this.#dial(node, record.address, now));
      }
    }
    // Looking through the table of a large field for nothing should not happen with every packet.
    if (planned.length === 0) this.#planAt = now + 200;
    return planned;
  }

  /** Of those that somebody pointed at, or that alone have something, as many as may be. */
  planWanted(now: number): { conn: ConnectionId; address: Address }[] {
    const planned: { conn: ConnectionId; address: Address }[] = [];
    for (const [node, address] of this.#wanted) {
      if (this.#dials.size >= SOURCES_LIMIT) break;
      this.#wanted.delete(node);
      if (this.#isDialable(node, address, now)) planned.push(this.#dial(node, address, now));
    }
    return planned;
  }

  /** How many more may be dialled. Where no other room is known of, all are near. @param limit of those that are near */
  #placesLeft(limit: number): { near: number; far: number } {
    let far = 0;
    for (const { node } of this.#dials.values()) if (this.#isFar(node)) far++;
    const farLimit = this.afar?.isWanted === false ? 0 : FAR_SOURCES;
    return { near: limit - (this.#dials.size - far), far: farLimit - far };
  }

  #isFar(node: NodeId): boolean {
    return this.afar?.isFar(node) === true;
  }

  #dialling(): number {
    let count = 0;
    for (const { isOpen } of this.#dials.values()) if (!isOpen) count++;
    return count;
  }

  #isDialable(node: NodeId, address: Address, now: number): boolean {
    if (node === this.#self || this.#byNode.has(node) || this.#isOut(address, now)) return false;
    const until = this.#avoided.get(node);
    if (until === undefined) return true;
    if (now < until) return false;
    this.#avoided.delete(node);
    return true;
  }

  #dial(node: NodeId, address: Address, now: number): { conn: ConnectionId; address: Address } {
    // Odd numbers are dials, even ones the edge's for those who dial us.
    const conn = this.#nextConn;
    this.#nextConn += 2;
    const dial: Dial = { conn, node, address, isOpen: false, uselessSince: now };
    this.#dials.set(conn, dial);
    this.#byNode.set(node, dial);
    return { conn, address };
  }
}

/** Whether somebody may hold what we do not. */
function mayHoldOther(summary: Summary, own: Summary, wanted: Summary | undefined): boolean {
  for (let region = 0; region < summary.regions; region++) {
    if (wanted !== undefined && levelOf(wanted, region) === LEVEL.none) continue;
    if (levelOf(summary, region) !== LEVEL.none && levelOf(own, region) !== LEVEL.all) return true;
  }
  return false;
}
