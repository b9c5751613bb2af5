import type { Action } from '../event.ts';
import type { Gossip } from '../members/gossip.ts';
import type { ChunkRange } from '../wire/chunk-set.ts';
import { heldRanges } from '../wire/holdings.ts';
import { type NodeId, STATE_LEAVING } from '../wire/record.ts';
import { planSwaps, rankOf } from './balance.ts';
import type { Neighbours } from './neighbours.ts';
import type { Stock } from './stock.ts';

/** A chunk that so few of our sources have is news. */
const RARE_COPIES = 1;
/** How often a node whose budget is used up looks for chunks that the field holds too few of. */
const BALANCE_MS = 2000;
/** Nodes dialled for that at a time. */
const BALANCE_DIALS = 4;
/** How old the count of who holds what may be. */
const COUNT_MS = 2000;

export interface KeeperLinks {
  readonly node: NodeId;
  readonly random: () => number;
  readonly gossip: Gossip;
  readonly neighbours: Neighbours;
  readonly isBanned: (node: NodeId) => boolean;
  /** Whether this node fetches for the field in idle time at all. */
  readonly mayBalance: () => boolean;
}

/** What this node holds: what comes in, what goes for it, and what it should have for the field's sake. */
export class Keeper {
  readonly #stock: Stock;
  readonly #links: KeeperLinks;
  #counted: { readonly at: number; readonly copies: Uint16Array } | undefined;
  #balanceAt = 0;
  /** What must not be dropped: a read needs it, or what is the same bytes. */
  readonly #pinned = {
    has: (chunk: number): boolean => this.#someLike(chunk, (each) => this.#stock.reads.pinned.has(each)),
  };

  constructor(stock: Stock, links: KeeperLinks) {
    this.#stock = stock;
    this.#links = links;
  }

  /** A good chunk has come; false when it is not worth keeping. */
  gain(chunk: number, now: number, out: Action[]): boolean {
    const { held, reads, keep } = this.#stock;
    if (held.has(chunk)) return false;
    const isWanted = this.#someLike(chunk, (each) => reads.waitsFor(each) || reads.window.has(each));
    const isSafe = (victim: number): boolean => this.#isOutranked(victim);
    const room = keep.planRoom(chunk, isWanted, this.#copies(now), this.#pinned, isSafe);
    if (room === undefined && !isWanted) return false;
    for (const victim of room ?? []) this.#drop(victim, now, out);
    this.#hold(chunk, now, out);
    if (room === undefined) keep.borrow(chunk, now);
    else {
      keep.added(chunk, now);
      this.#announce(chunk);
    }
    // What is the same bytes is here too, and takes no room of its own: it comes and goes with this one.
    for (const twin of this.#likes(chunk)) {
      if (held.has(twin)) continue;
      keep.setFree(twin);
      keep.added(twin, now);
      this.#hold(twin, now, out);
      if (room !== undefined) this.#announce(twin);
    }
    return true;
  }

  /** A directory has these from an earlier life. */
  found(chunks: readonly number[], now: number, out: Action[]): void {
    const { held, keep } = this.#stock;
    for (const chunk of chunks) {
      for (const each of [chunk, ...this.#likes(chunk)]) {
        if (held.has(each)) continue;
        if (each !== chunk) keep.setFree(each);
        keep.added(each, now);
        this.#come(each, now, out);
        this.#announce(each);
      }
    }
    this.trim(now, out);
  }

  /** A chunk could not be written: it is not held, and no more are fetched than there is room for. True when news. */
  unwritten(chunk: number, now: number): boolean {
    this.#loseAll(chunk, now);
    return this.#stock.keep.isFull(now);
  }

  #hold(chunk: number, now: number, out: Action[]): void {
    out.push({ kind: 'keep', chunk });
    this.#come(chunk, now, out);
  }

  #come(chunk: number, now: number, out: Action[]): void {
    const { held, reads, giver, fetcher } = this.#stock;
    held.add(chunk);
    giver.gained(chunk, fetcher.copiesSeen(chunk) <= RARE_COPIES, now);
    for (const read of reads.arrived(chunk)) out.push({ kind: 'ready', read });
  }

  #likes(chunk: number): Iterable<number> {
    return this.#stock.lengths.othersLike?.(chunk) ?? [];
  }

  #someLike(chunk: number, isSo: (chunk: number) => boolean): boolean {
    if (isSo(chunk)) return true;
    for (const twin of this.#likes(chunk)) if (isSo(twin)) return true;
    return false;
  }

  /** Chunks that turned out to be gone. */
  unheld(ranges: readonly ChunkRange[], now: number): void {
    for (const { start, end } of ranges) for (let chunk = start; chunk < end; chunk++) this.#loseAll(chunk, now);
  }

  /** With a chunk goes what is the same bytes. */
  #loseAll(chunk: number, now: number): void {
    this.#lose(chunk, now);
    for (const twin of this.#likes(chunk)) this.#lose(twin, now);
  }

  /** Reads may have had to be served beyond the budget; afterwards it counts again. */
  trim(now: number, out: Action[]): void {
    const { keep, held } = this.#stock;
    keep.tryAgain(now);
    for (const chunk of keep.settle()) {
      this.#announce(chunk);
      for (const twin of this.#likes(chunk)) if (held.has(twin)) this.#announce(twin);
    }
    const victims = keep.planTrim(this.#copies(now), this.#pinned, (victim) => this.#isOutranked(victim));
    for (const victim of victims) this.#drop(victim, now, out);
  }

  /** In idle time, what the field holds least of takes the place of what it holds most of. */
  balance(now: number): void {
    const { gossip, random, mayBalance } = this.#links;
    this.#stock.keep.tryAgain(now);
    if (now < this.#balanceAt) return;
    this.#balanceAt = now + BALANCE_MS * (0.75 + 0.5 * random());
    const { held, keep, reads, swaps, fetcher } = this.#stock;
    swaps.clear();
    if (!mayBalance()) return;
    this.#inherit(now);
    if (keep.holdsAll || reads.length > 0 || held.count === held.size) return;
    let dials = BALANCE_DIALS;
    for (const chunk of planSwaps(held, keep.counted(), this.#copies(now), gossip.table.size, random)) {
      swaps.add(chunk);
      if (fetcher.hasSource(chunk) || dials === 0) continue;
      dials--;
      this.#wantHolder(chunk);
    }
  }

  /** Chunks that, as far as the table says, nobody else holds who stays. */
  onlyHere(): number[] {
    const { held, lengths } = this.#stock;
    const copies = this.#links.gossip.table.copies(lengths.count, this.#links.node);
    return [...held].filter((chunk) => copies[chunk] === 0);
  }

  /** Whether somebody who stays holds all: such a one drops nothing. */
  isAnotherComplete(): boolean {
    const { node: self, gossip, isBanned } = this.#links;
    for (const { node, state } of gossip.table.nodes()) {
      if (node === self || state === STATE_LEAVING || isBanned(node)) continue;
      if (gossip.table.heldBy(node) === this.#stock.lengths.count) return true;
    }
    return false;
  }

  #announce(chunk: number): void {
    const { announced } = this.#stock;
    if (announced.add(chunk)) this.#links.gossip.changed(announced.count === announced.size);
  }

  #lose(chunk: number, now: number): boolean {
    const { held, announced, keep, reads, giver } = this.#stock;
    if (!held.delete(chunk)) return false;
    keep.removed(chunk);
    reads.lost(chunk);
    giver.lost(chunk, now);
    if (announced.delete(chunk)) this.#links.gossip.changed(true);
    return true;
  }

  #drop(chunk: number, now: number, out: Action[]): void {
    if (this.#lose(chunk, now)) out.push({ kind: 'drop', chunk });
    for (const twin of this.#likes(chunk)) if (this.#lose(twin, now)) out.push({ kind: 'drop', chunk: twin });
  }

  /** Whether somebody who stays holds a chunk and has more reason to keep it than we have. */
  #isOutranked(chunk: number): boolean {
    const { node: self, gossip, isBanned } = this.#links;
    const rank = rankOf(self, chunk);
    for (const node of gossip.table.holders(chunk, true)) {
      if (node !== self && !isBanned(node) && rankOf(node, chunk) > rank) return true;
    }
    return false;
  }

  /** Chunks that only somebody has who is about to leave: to be had there now or never. */
  #inherit(now: number): void {
    const copies = this.#copies(now);
    for (const { node, state, holdings } of this.#links.gossip.table.rows()) {
      if (state !== STATE_LEAVING) continue;
      for (const { start, end } of heldRanges(holdings)) {
        for (let chunk = start; chunk < end; chunk++) {
          if (copies[chunk] !== 0 || this.#stock.held.has(chunk)) continue;
          this.#links.neighbours.want(node);
          return;
        }
      }
    }
  }

  #wantHolder(chunk: number): void {
    const { node: self, gossip, neighbours, isBanned } = this.#links;
    for (const node of gossip.table.holders(chunk)) {
      if (node === self || isBanned(node)) continue;
      neighbours.want(node);
      return;
    }
  }

  /** How many others hold each chunk. */
  #copies(now: number): Uint16Array {
    if (this.#counted === undefined || now - this.#counted.at > COUNT_MS) {
      const { gossip, node } = this.#links;
      this.#counted = { at: now, copies: gossip.table.copies(this.#stock.lengths.count, node) };
    }
    return this.#counted.copies;
  }
}
