import type { Action, Lengths } from '../../event.ts';
import type { Gossip } from '../../members/gossip.ts';
import type { Need, Throttle } from '../../shares/throttle.ts';
import { toRanges } from '../../wire/ranges.ts';
import type { NodeId } from '../../wire/record.ts';
import type { Stock } from '../stock.ts';
import type { Neighbours } from './neighbours.ts';

/** How often the field is asked for a chunk that nobody holds, and the table for one that no source has. */
const FIND_MS = 2000;
const LOOK_MS = 250;
/** Chunks looked for at a time. */
const AT_ONCE = 64;
/** Nodes dialled for one chunk at a time. */
const DIALLED_FOR = 3;
/** Chunks that origins are asked for in advance at a time. */
const PREHEAT_AT_ONCE = 16;
/** Chunks looked at for that at a time. */
const PREHEAT_LOOKED_AT = 4096;

export interface SearchLinks {
  readonly node: NodeId;
  /** There are origins to ask when no peer has a chunk. */
  readonly hasOrigin: boolean;
  readonly gossip: Gossip;
  readonly neighbours: Neighbours;
  readonly isBanned: (node: NodeId) => boolean;
  /** What may come from peers and origins together. */
  readonly limit: Throttle;
  readonly say: (text: string) => void;
}

/** Looks for chunks that reads wait for and no source has: asks the table, an origin, then everybody. */
export class Search {
  readonly #links: SearchLinks;
  /** Chunks that are nowhere. */
  readonly #lost = new Set<number>();
  /** Chunks that origins are asked for, with their bytes. */
  readonly #asked = new Map<number, number>();
  #at = 0;
  /** How far the image was looked through for that. */
  #preheatAt = 0;

  constructor(links: SearchLinks) {
    this.#links = links;
  }

  /** A chunk has come. */
  found(chunk: number): void {
    if (this.#lost.delete(chunk) && this.#lost.size === 0) {
      this.#links.say('every chunk that reads wait for is to be had again');
    }
  }

  /** An origin has given a chunk, or has not. */
  answered(chunk: number): void {
    this.#asked.delete(chunk);
  }

  /** Has origins give what reads wait for and none of our sources has. */
  askOrigins(stock: Stock, now: number, out: Action[]): void {
    if (this.#links.hasOrigin) this.#askOrigins(this.#missing(stock), stock.lengths, 'read', now, out);
  }

  look(stock: Stock, now: number, out: Action[]): void {
    this.askOrigins(stock, now, out);
    if (now < this.#at) return;
    const { lengths } = stock;
    // What an origin is giving is not nowhere.
    const missing = this.#missing(stock).filter((chunk) => !this.#asked.has(chunk));
    if (missing.length === 0) return;
    const nowhere = missing.filter((chunk) => !this.#wantHolders(chunk, lengths.count));
    this.#at = now + (nowhere.length > 0 ? FIND_MS : LOOK_MS);
    if (nowhere.length === 0) return;
    for (const chunk of nowhere) {
      if (this.#lost.size === 0) {
        this.#links.say(`chunk ${chunk} is nowhere in the field: reads of it wait until somebody has it`);
      }
      this.#lost.add(chunk);
    }
    this.#links.gossip.find(toRanges(nowhere.sort((a, b) => a - b)), out);
  }

  #missing({ reads, fetcher }: Stock): number[] {
    const missing: number[] = [];
    for (const chunk of reads.waitedChunks()) {
      if (missing.length >= AT_ONCE) break;
      if (!fetcher.hasSource(chunk) && !fetcher.isOrdered(chunk)) missing.push(chunk);
    }
    return missing;
  }

  /** While all of the image is wanted: has origins give what none of our sources has. */
  preheat({ lengths, held, fetcher }: Stock, now: number, out: Action[]): void {
    if (!this.#links.hasOrigin) return;
    const missing: number[] = [];
    let looked = 0;
    for (let chunk = held.nextMissing(this.#preheatAt); ; chunk = held.nextMissing(chunk + 1)) {
      this.#preheatAt = Math.max(0, chunk);
      if (chunk < 0 || ++looked > PREHEAT_LOOKED_AT || missing.length + this.#asked.size >= PREHEAT_AT_ONCE) break;
      if (!fetcher.hasSource(chunk) && !fetcher.isOrdered(chunk) && !this.#asked.has(chunk)) missing.push(chunk);
    }
    this.#askOrigins(missing, lengths, 'advance', now, out);
  }

  #askOrigins(chunks: Iterable<number>, lengths: Lengths, need: Need, now: number, out: Action[]): void {
    const { limit } = this.#links;
    let onOrder = 0;
    for (const bytes of this.#asked.values()) onOrder += bytes;
    for (const chunk of chunks) {
      if (this.#asked.has(chunk)) continue;
      if (!limit.isOpen(need, onOrder, now)) return;
      onOrder += lengths.length(chunk);
      this.#asked.set(chunk, lengths.length(chunk));
      out.push({ kind: 'ask origin', chunk });
    }
  }

  /** Has those dialled that the table says hold a chunk; false when it names none. */
  #wantHolders(chunk: number, chunks: number): boolean {
    const { node: self, gossip, neighbours, isBanned } = this.#links;
    let isSomewhere = false;
    let dials = DIALLED_FOR;
    for (const { node } of gossip.table.likelyHolders(chunk, chunks)) {
      // Who is connected has said that it does not have it.
      if (node === self || isBanned(node) || neighbours.isConnected(node)) continue;
      isSomewhere = true;
      if (dials-- === 0) break;
      neighbours.want(node);
    }
    return isSomewhere;
  }
}
