import type { Action, ConnectionId, Lengths } from '../../event.ts';
import { Throttle } from '../../shares/throttle.ts';
import type { Address } from '../../wire/address.ts';
import type { ChunkRange, ChunkSet } from '../../wire/chunk-set.ts';
import type { FrameBodies, Pointer } from '../../wire/frame.ts';
import { packHoldings, windowsOf } from '../../wire/holdings.ts';
import { countIn } from '../../wire/ranges.ts';
import type { NodeId } from '../../wire/record.ts';
import { Chains } from './chains.ts';
import { type Client, creditOf, isGivenUp, isStuck, newClient, WISHES_LIMIT, wishOf } from './client.ts';
import { sendNews, tellLost, tellOf } from './news.ts';
import { SendWindow } from './send-window.ts';

/** Of what a node gives while it has chunks that nobody was given yet, the share that may be repeats. */
const REPEAT_SHARE = 0.02;
/** A node sows until so long after the last new chunk it gave. */
const SOWING_MS = 300;
const POINTERS_IN_FRAME = 16;
/** Of what a client has asked for, or left to us, so much is looked at to find what is best given next. */
const LOOKED_AT = 32;
const REPEATS_LOOKED_AT = 1024;

export interface GiverOptions {
  readonly lengths: Lengths;
  readonly held: ChunkSet;
  /** Whether a chunk that is not held is on its way to us. */
  readonly isComing: (chunk: number) => boolean;
  /** Whether it comes from afar, where it may take its time. */
  readonly isFromAfar?: (chunk: number) => boolean;
  /** Whether a chunk that is neither held nor coming is for us to bring from elsewhere, for whoever asks: it comes then. */
  readonly bring?: (chunk: number, now: number) => boolean;
  /** What may go to all peers together. */
  readonly limit?: Throttle;
  /** The room that a node is in, as a number; 0: ours. */
  readonly roomOf?: (node: NodeId) => number;
}

/** The giving side: whom to serve next, and whom to point at somebody else. */
export class Giver {
  readonly #lengths: Lengths;
  readonly #held: ChunkSet;
  readonly #isComing: (chunk: number) => boolean;
  readonly #isFromAfar: (chunk: number) => boolean;
  readonly #bring: (chunk: number, now: number) => boolean;
  readonly #clients = new Map<ConnectionId, Client>();
  /** How often each chunk has been given, up to 255. */
  readonly #given: Uint8Array;
  /** Chunks held that nobody was given yet. */
  readonly #fresh: ChunkSet;
  readonly #chains = new Chains();
  readonly #window = new SendWindow();
  readonly #limit: Throttle;
  readonly #roomOf: (node: NodeId) => number;
  #serial = 0;
  /** Repeats that may go before chunks never given yet. */
  #credit = 1;
  /** When a chunk that nobody had been given was last given by choice. */
  #sownAt = Number.NEGATIVE_INFINITY;
  /** When the limit lets the next chunk go that is to be given. */
  #heldUntil = Number.POSITIVE_INFINITY;
  sent = 0;
  /** Chunks given at least once. */
  distinct = 0;

  constructor(options: GiverOptions) {
    this.#lengths = options.lengths;
    this.#held = options.held;
    this.#isComing = options.isComing;
    this.#isFromAfar = options.isFromAfar ?? (() => false);
    this.#bring = options.bring ?? (() => false);
    this.#limit = options.limit ?? new Throttle();
    this.#roomOf = options.roomOf ?? (() => 0);
    this.#given = new Uint8Array(options.lengths.count);
    this.#fresh = options.held.copy();
  }

  get clients(): number {
    return this.#clients.size;
  }

  get window(): number {
    return this.#window.bytes;
  }

  /** How long a client has wanted nothing. */
  idleTime(conn: ConnectionId, now: number): number {
    const client = this.#clients.get(conn);
    if (client === undefined) return Number.POSITIVE_INFINITY;
    const isServed = client.wishes.size > 0 || client.choices > 0 || client.onItsWay.length > 0;
    return isServed && !isStuck(client, now) ? 0 : now - client.lastHeard;
  }

  /** Those that take nothing of what was sent to them. */
  givenUp(now: number): ConnectionId[] {
    return [...this.#clients.values()].filter((client) => isGivenUp(client, now)).map(({ conn }) => conn);
  }

  /** When a client last confirmed or asked for anything; -Infinity when it is none. */
  lastHeard(node: NodeId): number {
    for (const client of this.#clients.values()) if (client.node === node) return client.lastHeard;
    return Number.NEGATIVE_INFINITY;
  }

  accepted(conn: ConnectionId, node: NodeId, address: Address, now: number): void {
    this.#clients.set(conn, newClient(conn, node, address, now));
  }

  closed(conn: ConnectionId): void {
    this.#clients.delete(conn);
  }

  /** False when it had subscribed before: the answer is long, and who asks again does not read it. */
  subscribe(conn: ConnectionId, out: Action[]): boolean {
    const client = this.#clients.get(conn);
    if (client === undefined) return true;
    if (client.subscribed) return false;
    client.subscribed = true;
    client.news.clear();
    client.newsAt = Number.POSITIVE_INFINITY;
    for (const range of windowsOf(this.#lengths.count)) {
      out.push({ kind: 'frame', conn, frame: { kind: 'holdings', window: packHoldings(this.#held, range) } });
    }
    return true;
  }

  /** False when it asks for more than anybody may have on order. */
  get(conn: ConnectionId, request: FrameBodies['get'], now: number, out: Action[]): boolean {
    const client = this.#clients.get(conn);
    if (client === undefined) return true;
    client.lastHeard = now;
    if (request.choose) {
      client.choices = Math.min(client.choices + request.count, this.#lengths.count);
      client.choiceRanges = request.ranges;
      // What it has confirmed by now it has left out of these ranges.
      for (const chunk of client.confirmedChunks) client.choiceGiven.delete(chunk);
      client.confirmedChunks.length = 0;
      return true;
    }
    if (client.wishes.size + countIn(request.ranges) > 2 * WISHES_LIMIT) return false;
    const lacking: number[] = [];
    for (const { start, end } of request.ranges) {
      for (let chunk = start; chunk < Math.min(end, this.#lengths.count); chunk++) {
        if (!this.#held.has(chunk) && !this.#isComing(chunk) && !this.#bring(chunk, now)) lacking.push(chunk);
        else client.wishes.add(wishOf(request, chunk, now), this.#held.has(chunk));
      }
    }
    if (lacking.length === 0) return true;
    client.lacking.push(...lacking);
    sendNews(client, out);
    return true;
  }

  cancel(conn: ConnectionId, ranges: readonly ChunkRange[]): void {
    const client = this.#clients.get(conn);
    if (client === undefined || client.wishes.size === 0) return;
    for (const { start, end } of ranges) {
      for (let chunk = start; chunk < Math.min(end, this.#lengths.count); chunk++) client.wishes.delete(chunk);
    }
  }

  /** A client confirms the oldest chunks on their way to it. */
  got(conn: ConnectionId, count: number, now: number): void {
    const client = this.#clients.get(conn);
    if (client === undefined) return;
    for (const { chunk, bytes, at } of client.onItsWay.splice(0, count)) {
      if (client.choices > 0) client.confirmedChunks.push(chunk);
      else client.choiceGiven.delete(chunk);
      client.bytesOnItsWay -= bytes;
      client.confirmed += bytes;
      client.lastGot = now;
      client.lastHeard = now;
      client.leastMs = Math.min(client.leastMs, now - at);
      this.#window.confirmed(bytes, now - at - client.leastMs, () => this.#load(now));
    }
  }

  /** A chunk is held from now on. `isRare`: hardly anybody else has it, so that others wait for these news. */
  gained(chunk: number, isRare: boolean, now: number): void {
    if (this.#given[chunk] === 0) this.#fresh.add(chunk);
    for (const { wishes } of this.#clients.values()) wishes.gained(chunk);
    tellOf(chunk, isRare, this.#clients.values(), now);
  }

  lost(chunk: number, now: number): void {
    this.#fresh.delete(chunk);
    for (const client of this.#clients.values()) {
      tellLost(chunk, client, now);
      if (!client.wishes.delete(chunk)) continue;
      client.lacking.push(chunk);
      client.newsAt = now;
    }
  }

  /** Chunks that others wait for us to get. */
  *promised(): Generator<number> {
    for (const { wishes } of this.#clients.values()) yield* wishes.promised.keys();
  }

  /** When news are due at the latest, or a chunk that the limit holds back; Infinity when there are none. */
  nextAt(): number {
    let next = this.#heldUntil;
    for (const { newsAt } of this.#clients.values()) next = Math.min(next, newsAt);
    return next;
  }

  /** Requests wait, or chunks are on their way. */
  get busy(): boolean {
    for (const client of this.#clients.values()) {
      if (client.wishes.size > 0 || client.choices > 0 || client.onItsWay.length > 0) return true;
    }
    return false;
  }

  pump(now: number, out: Action[]): void {
    this.#heldUntil = Number.POSITIVE_INFINITY;
    for (const client of this.#clients.values()) {
      if (now >= client.newsAt) sendNews(client, out);
    }
    for (;;) {
      const load = this.#load(now);
      this.#window.filled(load);
      if (load >= this.#window.bytes) return;
      if (!this.#limit.isOpen('read', 0, now)) {
        this.#heldUntil = this.#limit.opensAt('read', 0, now);
        return;
      }
      if (!this.#giveOne(now, load, out)) return;
    }
  }

  #load(now: number): number {
    let bytes = 0;
    for (const client of this.#clients.values()) if (!isStuck(client, now)) bytes += client.bytesOnItsWay;
    return bytes;
  }

  /** Gives the one chunk that is best given now; false when there is nothing to give. */
  #giveOne(now: number, load: number, out: Action[]): boolean {
    let best: { client: Client; chunk: number; chosen: boolean; rank: number } | undefined;
    for (const client of this.#clients.values()) {
      if (
        isStuck(client, now) ||
        client.bytesOnItsWay >= creditOf(client) ||
        client.bytesOnItsWay >= this.#window.bytes / 2 + (this.#clients.size === 1 ? this.#window.bytes : 0)
      ) {
        continue;
      }
      const offer = this.#offer(client, load, out);
      if (offer === undefined) continue;
      if (
        best === undefined ||
        offer.rank < best.rank ||
        (offer.rank === best.rank && client.lastServed < best.client.lastServed)
      ) {
        best = { client, ...offer };
      }
    }
    if (best === undefined) return false;
    // Who hands out what nobody has yet repeats itself only when it would be idle otherwise.
    const isSowing = now - this.#sownAt < SOWING_MS;
    if (isSowing && best.rank >= 2 && load > this.#window.bytes / 4 && (this.#given[best.chunk] as number) > 0)
      return false;
    this.#give(best.client, best.chunk, best.chosen, now, out);
    return true;
  }

  /** What a client would be given next, and how much that matters (0: most). */
  #offer(client: Client, load: number, out: Action[]): { chunk: number; chosen: boolean; rank: number } | undefined {
    let offer: { chunk: number; chosen: boolean; rank: number } | undefined;
    const pointers: Pointer[] = [];
    let looked = 0;
    const room = this.#roomOf(client.node);
    for (const wish of client.wishes.urgent.values()) {
      if (++looked > LOOKED_AT) break;
      const given = this.#given[wish.chunk] as number;
      const isNewThere = room !== 0 && !this.#chains.isKnown(wish.chunk, room);
      if (!wish.insist && given > 0 && (load > 0 || room !== 0)) {
        const pointer = this.#chains.pointer(wish.chunk, room, client);
        if (pointer !== undefined) {
          if (pointers.length < POINTERS_IN_FRAME) {
            pointers.push(pointer);
            client.wishes.delete(wish.chunk);
          }
          continue;
        }
      }
      const isFirst = given === 0 || isNewThere || (wish.insist && this.#credit >= 1);
      const rank = isFirst ? 0 : 2;
      if (offer === undefined || rank < offer.rank) offer = { chunk: wish.chunk, chosen: false, rank };
      if (rank === 0) break;
    }
    if (offer === undefined) {
      for (const { chunk } of client.wishes.calm.values()) {
        offer = { chunk, chosen: false, rank: 2 };
        break;
      }
    }
    if (pointers.length > 0) out.push({ kind: 'frame', conn: client.conn, frame: { kind: 'pointers', pointers } });
    if (client.choices > 0 && (offer === undefined || offer.rank > 1)) {
      const { chunk, given } = this.#leastGiven(client);
      if (chunk < 0) {
        client.lackingChoices += client.choices;
        client.choices = 0;
        sendNews(client, out);
      }
      const rank = given === 0 ? 1 : 3;
      if (chunk >= 0 && (offer === undefined || rank < offer.rank)) offer = { chunk, chosen: true, rank };
    }
    return offer;
  }

  /** A chunk that nobody was given, when there is one; else the one given least of some that are looked at. */
  #leastGiven(client: Client): { chunk: number; given: number } {
    for (const { start, end } of client.choiceRanges) {
      const chunk = this.#fresh.next(start);
      if (chunk >= 0 && chunk < end) return { chunk, given: 0 };
    }
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    let looked = 0;
    for (const { start, end } of client.choiceRanges) {
      for (let chunk = this.#held.next(start); chunk >= 0 && chunk < end; chunk = this.#held.next(chunk + 1)) {
        if (client.choiceGiven.has(chunk)) continue;
        if (++looked > REPEATS_LOOKED_AT) return { chunk: best, given: least };
        const given = this.#given[chunk] as number;
        if (given >= least) continue;
        best = chunk;
        least = given;
      }
    }
    return { chunk: best, given: least };
  }

  #give(client: Client, chunk: number, chosen: boolean, now: number, out: Action[]): void {
    const bytes = this.#lengths.length(chunk);
    if (chosen) client.choices--;
    else client.wishes.delete(chunk);
    if (client.onItsWay.length === 0) client.lastGot = now;
    client.onItsWay.push({ chunk, bytes, at: now });
    client.choiceGiven.add(chunk);
    client.bytesOnItsWay += bytes;
    client.lastServed = ++this.#serial;
    if (this.#given[chunk] === 0) {
      this.distinct++;
      this.#fresh.delete(chunk);
      this.#credit = Math.min(this.#credit + REPEAT_SHARE, 4);
      if (chosen) this.#sownAt = now;
    } else if (!chosen) this.#credit = Math.max(0, this.#credit - 1);
    this.#given[chunk] = Math.min((this.#given[chunk] as number) + 1, 255);
    this.#chains.given(chunk, this.#roomOf(client.node), client);
    this.sent += bytes;
    this.#limit.took(bytes, now);
    // News that ride on a chunk wake nobody.
    if (client.news.size > 0) sendNews(client, out);
    out.push({ kind: 'give', conn: client.conn, chunk, chosen });
  }

  /** Requests for chunks that did not come to us after all. */
  breakPromises(now: number, out: Action[]): void {
    for (const client of this.#clients.values()) {
      const broken = client.wishes.giveUp(this.#isComing, this.#isFromAfar, now);
      if (broken.length === 0) continue;
      client.lacking.push(...broken);
      sendNews(client, out);
    }
  }
}
