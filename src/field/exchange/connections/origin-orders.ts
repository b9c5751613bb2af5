import type { Action, Lengths } from '../../event.ts';
import type { Gossip } from '../../members/gossip.ts';
import type { Need, Throttle } from '../../shares/throttle.ts';
import type { ChunkRange } from '../../wire/chunk-set.ts';
import { type NodeId, STATE_LEAVING } from '../../wire/record.ts';
import { regionOf } from '../../wire/regions.ts';
import { LEVEL, levelOf } from '../../wire/summary.ts';
import { scoreOf } from '../keeping/duty.ts';
import type { Stock } from '../stock.ts';
import type { Neighbours } from './neighbours.ts';

/** Chunks asked for at a time: what reads wait for, and what is fetched in advance. */
const READ_AT_ONCE = 64;
const ADVANCE_AT_ONCE = 24;
/** For others who asked us to. */
const BROUGHT_AT_ONCE = 64;
/** Chunks looked at for that at a time. */
const LOOKED_AT = 4096;
/** Whose turn it is says so when it cannot bring a chunk. When it says nothing, it is the next one's turn after so long. */
const TURN_MS = 8000;
/** Who holds all of a region is looked for so long before an origin is asked. */
const HOLDER_MS = 1500;
/** After so many turns whoever wants it asks. */
const TURNS = 2;
/** How old the order of turns may be. */
const TURNS_GOOD_MS = 1000;
/** Chunks whose turns are remembered. */
const WAITS_LIMIT = 4096;

interface Turns {
  /** Those who bring a region's chunks, the first one first. */
  readonly nodes: readonly NodeId[];
  /** Somebody has all of it. */
  readonly isHeld: boolean;
}

export interface OriginOrdersLinks {
  readonly node: NodeId;
  readonly hasOrigin: boolean;
  readonly gossip: Gossip;
  readonly neighbours: Neighbours;
  readonly isBanned: (node: NodeId) => boolean;
  /** What may come from peers and origins together. */
  readonly limit: Throttle;
}

/**
 * What origins are asked for. The far link is the field's, not each node's: of each region of the image one node, the same
 * in everybody's eyes, asks for the chunks; others ask that node. When it does not bring a chunk the next one does, and
 * then whoever wants it.
 */
export class OriginOrders {
  readonly #links: OriginOrdersLinks;
  readonly #asked = new Map<number, { readonly bytes: number; need: Need }>();
  /** Chunks that others have asked us to bring. */
  readonly #brought = new Set<number>();
  #isToBring = false;
  /** Of chunks that are waited for: whose turn it is, and since when. */
  readonly #waits = new Map<number, { turn: number; at: number; readonly since: number; readonly region: number }>();
  /** By region. */
  #turns = new Map<number, Turns>();
  #turnsAt = Number.NEGATIVE_INFINITY;
  /** How far the image was looked through to fetch all of it. */
  #preheatAt = 0;

  constructor(links: OriginOrdersLinks) {
    this.#links = links;
  }

  /** Others have asked for chunks since. */
  get isToBring(): boolean {
    return this.#isToBring;
  }

  /** It is being asked for, or about to be. */
  isComing(chunk: number): boolean {
    return this.#asked.has(chunk) || this.#brought.has(chunk);
  }

  isAsked(chunk: number): boolean {
    return this.#asked.has(chunk);
  }

  /** An origin has given a chunk, or has not. True when others wait for it. */
  answered(chunk: number, good: boolean): boolean {
    this.#asked.delete(chunk);
    if (good) this.#waits.delete(chunk);
    return this.#brought.delete(chunk);
  }

  /** A node does not bring these. */
  lacked(node: NodeId, ranges: readonly ChunkRange[], now: number): void {
    for (const { start, end } of ranges) {
      for (let chunk = start; chunk < end; chunk++) {
        const wait = this.#waits.get(chunk);
        if (wait === undefined || this.#turns.get(wait.region)?.nodes[wait.turn] !== node) continue;
        wait.turn++;
        wait.at = now;
      }
    }
  }

  /** Somebody asks us for a chunk that nobody has: whether it is ours to bring. */
  bring(chunk: number, chunks: number, now: number): boolean {
    if (!this.#links.hasOrigin || this.#brought.size >= BROUGHT_AT_ONCE) return false;
    if (!this.#turnsOf(chunk, chunks, now).nodes.includes(this.#links.node)) return false;
    this.#brought.add(chunk);
    this.#isToBring = true;
    return true;
  }

  /** Has origins give what others wait for, what reads wait for and none of our sources has, and what they will read. */
  ask(stock: Stock, now: number, out: Action[]): void {
    if (!this.#links.hasOrigin) return;
    const { lengths, reads, held } = stock;
    this.#isToBring = false;
    this.#order(
      [...this.#brought].filter((chunk) => !held.has(chunk)),
      lengths,
      'read',
      now,
      out,
    );
    const mine: number[] = [];
    for (const chunk of reads.waitedChunks()) {
      if (mine.length >= READ_AT_ONCE) break;
      if (this.#isMissing(chunk, stock) && this.#isMyTurn(chunk, stock, now)) mine.push(chunk);
    }
    this.#order(mine, lengths, 'read', now, out);
    if (reads.window.count === 0) return;
    const ahead = new Set<number>();
    for (const chunk of reads.foreseen) {
      if (ahead.size + this.#asked.size >= ADVANCE_AT_ONCE) break;
      if (!this.#asked.has(chunk) && this.#isMissing(chunk, stock) && this.#isMyTurn(chunk, stock, now))
        ahead.add(chunk);
    }
    this.#order(ahead, lengths, 'advance', now, out);
    this.#order(this.#ahead(stock, reads.window, 0, now).chunks, lengths, 'advance', now, out);
  }

  /** While all of the image is wanted: likewise what none of our sources has. */
  preheat(stock: Stock, now: number, out: Action[]): void {
    if (!this.#links.hasOrigin || stock.keep.isBehind) return;
    const { chunks, next } = this.#ahead(stock, undefined, this.#preheatAt, now);
    this.#preheatAt = next;
    this.#order(chunks, stock.lengths, 'advance', now, out);
  }

  /** Missing chunks, of `within` or of all, that are this node's to ask for. */
  #ahead(
    stock: Stock,
    within: { next(from: number): number } | undefined,
    from: number,
    now: number,
  ): { readonly chunks: readonly number[]; readonly next: number } {
    const next = (chunk: number): number => (within ?? { next: (at) => stock.held.nextMissing(at) }).next(chunk);
    const chunks: number[] = [];
    let looked = 0;
    for (let chunk = next(from); chunk >= 0; chunk = next(chunk + 1)) {
      if (++looked > LOOKED_AT || chunks.length + this.#asked.size >= ADVANCE_AT_ONCE) return { chunks, next: chunk };
      if (this.#isMissing(chunk, stock) && this.#isMyTurn(chunk, stock, now)) chunks.push(chunk);
    }
    return { chunks, next: 0 };
  }

  #isMissing(chunk: number, { held, fetcher }: Stock): boolean {
    return !held.has(chunk) && !fetcher.hasSource(chunk) && !fetcher.isOrdered(chunk);
  }

  /** Else whose turn it is is asked. */
  #isMyTurn(chunk: number, { lengths, fetcher }: Stock, now: number): boolean {
    const { node: self, neighbours } = this.#links;
    const { nodes, isHeld } = this.#turnsOf(chunk, lengths.count, now);
    if (nodes[0] === self && !isHeld) return true;
    let wait = this.#waits.get(chunk);
    if (wait === undefined) {
      if (this.#waits.size >= WAITS_LIMIT) this.#waits.clear(); // they wait their turn once more
      wait = { turn: 0, at: now, since: now, region: regionOf(chunk, lengths.count) };
      this.#waits.set(chunk, wait);
    }
    // Peers are looked for first; the search has them dialled.
    if (isHeld && now - wait.since < HOLDER_MS) return false;
    if (now - wait.at > TURN_MS) {
      wait.turn++;
      wait.at = now;
    }
    const node = nodes[wait.turn];
    if (node === undefined || node === self) return true;
    fetcher.point(chunk, self, node, now);
    if (!neighbours.isConnected(node)) neighbours.want(node);
    return false;
  }

  /** Those who bring the chunks of a region, the first one first. */
  #turnsOf(chunk: number, chunks: number, now: number): Turns {
    if (now - this.#turnsAt > TURNS_GOOD_MS) {
      this.#turns = new Map();
      this.#turnsAt = now;
    }
    const region = regionOf(chunk, chunks);
    const known = this.#turns.get(region);
    if (known !== undefined) return known;
    const { node: self, gossip, isBanned } = this.#links;
    let best: { readonly node: NodeId; readonly score: number }[] = [{ node: self, score: scoreOf(self, region, 1) }];
    let isHeld = false;
    for (const { node, state, summary } of gossip.table.rows()) {
      if (node === self || state === STATE_LEAVING || isBanned(node)) continue;
      isHeld ||= levelOf(summary, region) === LEVEL.all;
      best.push({ node, score: scoreOf(node, region, 1) });
      if (best.length > 64) best = first(best);
    }
    const turns = { nodes: first(best).map(({ node }) => node), isHeld };
    this.#turns.set(region, turns);
    return turns;
  }

  #order(chunks: Iterable<number>, lengths: Lengths, need: Need, now: number, out: Action[]): void {
    const { limit } = this.#links;
    let onOrder = 0;
    for (const { bytes } of this.#asked.values()) onOrder += bytes;
    for (const chunk of chunks) {
      const asked = this.#asked.get(chunk);
      if (asked !== undefined && (asked.need === need || need === 'advance')) continue;
      if (asked === undefined && !limit.isOpen(need, onOrder, now)) return;
      if (asked === undefined) onOrder += lengths.length(chunk);
      // Asked for in advance, and now a read waits for it: that is said.
      this.#asked.set(chunk, { bytes: lengths.length(chunk), need });
      out.push({ kind: 'ask origin', chunk, urgent: need === 'read' });
    }
  }
}

function first(nodes: { readonly node: NodeId; readonly score: number }[]): typeof nodes {
  return nodes.sort((a, b) => b.score - a.score || a.node - b.node).slice(0, TURNS);
}
