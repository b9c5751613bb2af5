import type { Action } from '../../event.ts';
import type { Gossip } from '../../members/gossip.ts';
import type { ChunkRange } from '../../wire/chunk-set.ts';
import { type NodeId, STATE_LEAVING } from '../../wire/record.ts';
import { regionOf, regionRange } from '../../wire/regions.ts';
import { LEVEL, levelOf } from '../../wire/summary.ts';
import type { Neighbours } from '../connections/neighbours.ts';
import type { Stock } from '../stock.ts';
import { planSwaps, rankOf } from './balance.ts';
import type { Duty } from './duty.ts';
import type { CopiesOf } from './keep-policy.ts';

/** A chunk that so few of our sources have is news. */
const RARE_COPIES = 1;
/** How often a node whose budget is used up looks for chunks that the field holds too few of. */
const BALANCE_MS = 2000;
/** Who has come or gone changes what is whose duty: soon, but not with each of many. */
const DUTY_MS = 500;
/** Nodes dialled for that at a time. */
const BALANCE_DIALS = 4;
/** Chunks of a duty that are fetched in place of others at a time. */
const MISSING_MOST = 512;
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

/** Everything there is once the chunk index is known, and who sees to it. */
export interface KeptStock extends Stock {
  readonly keeper: Keeper;
}

/** What this node holds: what comes in, what goes for it, and what it should have for the field's sake. */
export class Keeper {
  readonly #stock: Stock;
  readonly #links: KeeperLinks;
  #counted: { readonly at: number; readonly copies: CopiesOf } | undefined;
  /**
   * Chunks that turned out to be this node's to keep, good as long as that count: the same few hundred would be judged anew
   * with each chunk that comes. What may be given up is always judged by what is known at that moment.
   */
  readonly #ours = new Set<number>();
  #balanceAt = 0;
  /** What must not be dropped: a read needs it, or what is the same bytes. */
  readonly #pinned = {
    has: (chunk: number): boolean => this.#someLike(chunk, (each) => this.#stock.reads.pinned.has(each)),
  };

  constructor(stock: Stock, links: KeeperLinks) {
    this.#stock = stock;
    this.#links = links;
  }

  /** A good chunk has come; false when it is not worth keeping. `isPromised`: others wait for it. */
  gain(chunk: number, now: number, out: Action[], isPromised = false): boolean {
    const { held, reads, keep } = this.#stock;
    if (held.has(chunk)) return false;
    const isWanted = isPromised || this.#someLike(chunk, (each) => reads.waitsFor(each) || reads.window.has(each));
    const duty = this.#stock.duty?.chunks;
    const isDuty = duty?.has(chunk) === true;
    // For a duty only what is none makes room; for a read whatever others have.
    const isSafe = (victim: number): boolean =>
      (isWanted || !isDuty || duty?.has(victim) !== true) && this.#isOutranked(victim);
    const room = keep.planRoom(chunk, isWanted || isDuty, this.#copies(now), this.#pinned, isSafe);
    if (room === undefined && !isWanted) {
      keep.passOver();
      return false;
    }
    for (const victim of room ?? []) this.#drop(victim, now, out);
    this.#hold(chunk, room !== undefined, now, out);
    if (room === undefined) {
      keep.borrow(chunk, now);
      // A machine that reads nothing has no read whose end would see to it.
      for (const victim of keep.planReturn(this.#pinned)) this.#drop(victim, now, out);
    } else {
      keep.added(chunk, now);
      this.#announce(chunk);
    }
    // What is the same bytes is here too, and takes no room of its own: it comes and goes with this one.
    for (const twin of this.#likes(chunk)) {
      if (held.has(twin)) continue;
      keep.setFree(twin);
      keep.added(twin, now);
      this.#hold(twin, room !== undefined, now, out);
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

  /** The disk does not keep up: nothing more is kept until it does, and what reads need stays in memory. */
  behind(isBehind: boolean, now: number, out: Action[]): void {
    const { keep, swaps } = this.#stock;
    keep.isBehind = isBehind;
    if (isBehind) swaps.clear();
    else this.trim(now, out);
  }

  #hold(chunk: number, isLasting: boolean, now: number, out: Action[]): void {
    out.push({ kind: 'keep', chunk, isLasting });
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
      for (const each of [chunk, ...this.#likes(chunk)]) {
        if (!held.has(each)) continue;
        out.push({ kind: 'keep', chunk: each, isLasting: true });
        this.#announce(each);
      }
    }
    const victims = keep.planTrim(this.#copies(now), this.#pinned, (victim) => this.#isOutranked(victim));
    for (const victim of victims) this.#drop(victim, now, out);
  }

  /** In idle time, what the field holds least of takes the place of what it holds most of. */
  balance(now: number): void {
    const { gossip, random, mayBalance } = this.#links;
    this.#stock.keep.tryAgain(now);
    const { duty } = this.#stock;
    if (duty?.look(this.#links.gossip.table) === true) {
      duty.isOpen = true;
      this.#balanceAt = Math.min(this.#balanceAt, now + DUTY_MS);
    }
    if (now < this.#balanceAt) return;
    this.#balanceAt = now + BALANCE_MS * (0.75 + 0.5 * random());
    const { held, keep, reads, swaps, fetcher } = this.#stock;
    swaps.clear();
    if (!mayBalance() || keep.isBehind) return;
    this.#inherit(now);
    if (keep.holdsAll || reads.length > 0 || held.count === held.size) return;
    let dials = BALANCE_DIALS;
    const wanted =
      duty === undefined
        ? planSwaps(held, keep.counted(), this.#copies(now), gossip.table.size, random)
        : this.#missing(duty, random());
    for (const chunk of wanted) {
      swaps.add(chunk);
      if (fetcher.hasSource(chunk) || dials === 0) continue;
      dials--;
      this.#wantHolder(chunk);
    }
  }

  /** Some of the chunks that are this node's duty and not here, from another place on each time. */
  #missing(duty: Duty, random: number): number[] {
    const { held } = this.#stock;
    const missing: number[] = [];
    for (const from of [Math.floor(random * held.size), 0]) {
      for (let chunk = duty.chunks.next(from); chunk >= 0; chunk = duty.chunks.next(chunk + 1)) {
        if (missing.length >= MISSING_MOST) return missing;
        if (!held.has(chunk)) missing.push(chunk);
      }
      if (missing.length > 0) break;
    }
    duty.isOpen = missing.length > 0;
    return missing;
  }

  /** Chunks that, as far as the table says, nobody else holds who stays. */
  onlyHere(): number {
    const { held, fetcher } = this.#stock;
    this.#lookAround();
    const staying = [...fetcher.sources.values()].filter(({ node }) => this.#stays(node)).map(({ has }) => has.words);
    let count = 0;
    for (let i = 0; i < held.words.length; i++) {
      let word = held.words[i] as number;
      for (const words of staying) word &= ~(words[i] as number);
      for (; word !== 0; word &= word - 1) {
        if (fetcher.copies.farFrom((i << 5) + 31 - Math.clz32(word & -word)) === 0) count++;
      }
    }
    return count;
  }

  /** Those whose holdings we should know exactly before we go: they hold a part of the image. */
  partHolders(): NodeId[] {
    const { gossip, node: self } = this.#links;
    const { count } = this.#stock.lengths;
    return gossip.table
      .rows()
      .filter(({ node, state, summary }) => {
        return node !== self && state !== STATE_LEAVING && summary.count > 0 && summary.count < count;
      })
      .map(({ node }) => node);
  }

  /** How many nodes hold each chunk, this one counted: of the rarest, as far as is known, and in the mean. */
  redundancy(): { min: number; mean: number } {
    const { held, lengths } = this.#stock;
    const { gossip, node: self } = this.#links;
    const copies = this.#lookAround();
    let min = Number.POSITIVE_INFINITY;
    for (let chunk = 0; chunk < lengths.count; chunk++) min = Math.min(min, copies(chunk) + (held.has(chunk) ? 1 : 0));
    let sum = held.count;
    for (const { node, state, summary } of gossip.table.rows()) {
      if (node !== self && state !== STATE_LEAVING) sum += summary.count;
    }
    return { min, mean: Math.round((sum / lengths.count) * 1000) / 1000 };
  }

  /** How many others hold each chunk, as far as is known. */
  copies(): CopiesOf {
    return this.#lookAround();
  }

  #stays(node: NodeId): boolean {
    const { gossip, isBanned } = this.#links;
    const record = gossip.table.get(node);
    return record !== undefined && record.state !== STATE_LEAVING && !isBanned(node);
  }

  #lookAround(): CopiesOf {
    const { gossip, node: self, isBanned } = this.#links;
    const { copies, sources } = this.#stock.fetcher;
    const known = new Set([...sources.values()].filter(({ known }) => known).map(({ node }) => node));
    const leaving = [...sources.values()].filter(({ node }) => !this.#stays(node));
    copies.lookAround(gossip.table, leaving, (node) => node !== self && !known.has(node) && !isBanned(node));
    return (chunk) => copies.of(chunk);
  }

  /** Whether somebody who stays holds all: such a one drops nothing. */
  isAnotherComplete(): boolean {
    const { node: self, gossip, isBanned } = this.#links;
    for (const { node, state, summary } of gossip.table.rows()) {
      if (node === self || state === STATE_LEAVING || isBanned(node)) continue;
      if (summary.count === this.#stock.lengths.count) return true;
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
    if (this.#ours.has(chunk)) return false;
    const isOutranked = this.#isOutrankedNear(chunk) || this.#isOutrankedFar(chunk);
    if (!isOutranked) this.#ours.add(chunk);
    return isOutranked;
  }

  /** By one of those who tell us exactly what they hold. */
  #isOutrankedNear(chunk: number): boolean {
    for (const { node, has } of this.#stock.fetcher.sources.values()) {
      if (has.has(chunk) && this.#isBehind(node, chunk) && this.#stays(node)) return true;
    }
    return false;
  }

  /** By one of whom the table says that all of the chunk's region is there. */
  #isOutrankedFar(chunk: number): boolean {
    const { fetcher, lengths } = this.#stock;
    if (fetcher.copies.farFrom(chunk) === 0) return false;
    const { node: self, gossip } = this.#links;
    const region = regionOf(chunk, lengths.count);
    const known = new Set<NodeId>();
    for (const source of fetcher.sources.values()) if (source.known) known.add(source.node);
    for (const { node, summary } of gossip.table.rows()) {
      if (levelOf(summary, region) !== LEVEL.all || node === self || known.has(node)) continue;
      if (this.#isBehind(node, chunk) && this.#stays(node)) return true;
    }
    return false;
  }

  /** Whether a chunk is more for another node to keep than for this one: of two it is so for one alone. */
  #isBehind(node: NodeId, chunk: number): boolean {
    const { node: self, gossip } = this.#links;
    const { duty } = this.#stock;
    if (duty === undefined) return rankOf(node, chunk) > rankOf(self, chunk);
    const record = gossip.table.get(node);
    return record !== undefined && duty.isBehind(record, chunk);
  }

  /** Chunks that only somebody has who is about to leave: to be had there now or never. */
  #inherit(now: number): void {
    const copies = this.#copies(now);
    const { held, lengths } = this.#stock;
    for (const { node, state, summary } of this.#links.gossip.table.rows()) {
      if (state !== STATE_LEAVING) continue;
      for (let region = 0; region < summary.regions; region++) {
        if (levelOf(summary, region) === LEVEL.none) continue;
        const { start, end } = regionRange(region, lengths.count);
        const chunk = held.nextMissing(start);
        if (chunk < 0 || chunk >= end || copies(chunk) !== 0) continue;
        this.#links.neighbours.want(node);
        return;
      }
    }
  }

  #wantHolder(chunk: number): void {
    const { node: self, gossip, neighbours, isBanned } = this.#links;
    for (const { node } of gossip.table.likelyHolders(chunk, this.#stock.lengths.count)) {
      if (node === self || isBanned(node) || neighbours.isConnected(node)) continue;
      neighbours.want(node);
      return;
    }
  }

  /** How many others hold each chunk. */
  #copies(now: number): CopiesOf {
    if (this.#counted === undefined || now - this.#counted.at > COUNT_MS) {
      this.#counted = { at: now, copies: this.#lookAround() };
      this.#ours.clear();
    }
    return this.#counted.copies;
  }
}
