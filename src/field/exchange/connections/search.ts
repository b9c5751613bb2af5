import type { Action } from '../../event.ts';
import type { Gossip } from '../../members/gossip.ts';
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

export interface SearchLinks {
  readonly node: NodeId;
  readonly gossip: Gossip;
  readonly neighbours: Neighbours;
  readonly isBanned: (node: NodeId) => boolean;
  readonly say: (text: string) => void;
}

/** Looks for chunks that reads wait for and no source has: asks the table, then everybody. */
export class Search {
  readonly #links: SearchLinks;
  /** Chunks that are nowhere. */
  readonly #lost = new Set<number>();
  #at = 0;

  constructor(links: SearchLinks) {
    this.#links = links;
  }

  /** A chunk has come. */
  found(chunk: number): void {
    if (this.#lost.delete(chunk) && this.#lost.size === 0) {
      this.#links.say('every chunk that reads wait for is to be had again');
    }
  }

  look(stock: Stock, now: number, out: Action[], isAsked: (chunk: number) => boolean): void {
    if (now < this.#at) return;
    const { lengths } = stock;
    // What an origin is giving is not nowhere.
    const missing = this.#missing(stock).filter((chunk) => !isAsked(chunk));
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
