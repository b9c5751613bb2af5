import type { ConnectionId, Lengths } from '../../event.ts';
import type { Throttle } from '../../shares/throttle.ts';
import { countIn } from '../../wire/ranges.ts';
import type { NodeId } from '../../wire/record.ts';
import { type ChoiceOptions, ChunkChoice, type Spare } from './chunk-choice.ts';
import { type Basket, basketOf } from './order-basket.ts';
import type { Orders } from './orders.ts';
import type { Source } from './source.ts';

/** Bytes on order in all, at least, and in time of the measured rate: enough that the pipe never runs empty. */
const ON_ORDER_CHUNKS = 12;
const ON_ORDER_BYTES = 768 << 10;
const ON_ORDER_MS = 60;
/** Bytes on order at one source: chunks at least, time of its measured rate, and an upper bound. */
const SOURCE_CHUNKS = 4;
const SOURCE_BYTES = 256 << 10;
const SOURCE_MS = 80;
const SOURCE_LIMIT = 8 << 20;
/** These times are longer by two round trips, so much at most: a long way is a part of the pipe. */
const WAY_MOST_MS = 240;
/** Chunks on order at one source, however small they are: what it may be asked for at a time. */
const ORDERS_LIMIT = 2048;
/** Chunks ordered together, likewise. */
const ORDERED_TOGETHER = 3;
const ORDERED_BYTES = 192 << 10;
const SMALL_CHUNK = 16 << 10;

/** When chunks may be fetched that nobody waits for. */
export interface SpareTimeLinks {
  /** Whether one more may be ordered now. */
  mayFill(): boolean;
  /** By the last answer: although something is read. */
  readonly isBesideReads: boolean;
  /** One was ordered. */
  filled(): void;
  /** One has come. */
  arrived(): void;
}

export interface AdvanceLinks extends Omit<ChoiceOptions, 'ordered' | 'lengths'> {
  readonly lengths: Lengths;
  readonly sources: ReadonlyMap<ConnectionId, Source>;
  readonly orders: Orders;
  readonly spareTime: SpareTimeLinks;
  /** Whether there is room to keep so many bytes more. */
  readonly hasRoom: (bytes: number) => boolean;
  readonly limit: Throttle;
  /** Bytes of a chunk, in the mean. */
  readonly mean: number;
  /** Bytes a second that come in all. */
  readonly rate: () => number;
  /** Seconds until a source would have sent one chunk more. */
  readonly delay: (source: Source) => number;
  /** The shortest round trip to a node, in ms. */
  readonly roundTrip?: (node: NodeId) => number;
}

/** What is fetched before a read waits for it: what will be read next, and what nobody has asked for. */
export class Advance {
  readonly #links: AdvanceLinks;
  readonly #choice: ChunkChoice;
  readonly #longest: number;
  readonly #orderedTogether: number;

  constructor(links: AdvanceLinks) {
    const { lengths, orders, mean } = links;
    this.#links = links;
    this.#choice = new ChunkChoice({ ...links, ordered: orders.chunks });
    let longest = 0;
    for (let chunk = 0; chunk < lengths.count; chunk++) longest = Math.max(longest, lengths.length(chunk));
    this.#longest = longest;
    // Of the usual chunks each is ordered as soon as there is room.
    this.#orderedTogether = mean < SMALL_CHUNK ? ORDERED_BYTES : 1;
  }

  /** @param onOrder bytes on order that fill our pipe */
  pump(now: number, onOrder: number, baskets: Map<Source, Basket>): void {
    const { sources, mean, limit, rate: rateInAll, delay } = this.#links;
    const longest = Math.max(...[...sources.values()].map((source) => this.#way(source)));
    const most = Math.max(ON_ORDER_CHUNKS * mean, ON_ORDER_BYTES, (rateInAll() * (ON_ORDER_MS + longest)) / 1000);
    if (onOrder + this.#orderedTogether > most) return;
    const together = Math.max(ORDERED_TOGETHER * mean, ORDERED_BYTES);
    const wanting = [...sources.values()].filter(
      (source) =>
        source.has.count > 0 && (source.bytesOnOrder <= 0 || source.bytesOnOrder + together <= this.#cap(source)),
    );
    let left = most - onOrder;
    while (left > 0 && wanting.length > 0 && limit.isOpen('advance', most - left, now)) {
      let at = 0;
      for (let i = 1; i < wanting.length; i++) {
        if (delay(wanting[i] as Source) < delay(wanting[at] as Source)) at = i;
      }
      const source = wanting[at] as Source;
      const mayOrder = source.bytesOnOrder < this.#cap(source) && source.orders.size + source.choices < ORDERS_LIMIT;
      const bytes = mayOrder ? this.#orderOne(source, now, baskets) : 0;
      if (bytes === 0) wanting.splice(at, 1);
      left -= bytes;
    }
  }

  /** Whether whatever comes next will find its place, beside all that is on order. */
  #hasRoom(): boolean {
    let onOrder = 0;
    for (const source of this.#links.sources.values()) onOrder += source.bytesOnOrder;
    return this.#links.hasRoom(onOrder + this.#longest);
  }

  /** Bytes that may be on order at a source. */
  #cap(source: Source): number {
    const bytes = (source.rate * (SOURCE_MS + this.#way(source))) / 1000;
    return Math.max(SOURCE_CHUNKS * this.#links.mean, SOURCE_BYTES, Math.min(bytes, SOURCE_LIMIT));
  }

  #way({ node }: Source): number {
    return Math.min(2 * (this.#links.roundTrip?.(node) ?? 0), WAY_MOST_MS);
  }

  /** Orders one more chunk from a source; gives its bytes, 0 when there is nothing to order. */
  #orderOne(source: Source, now: number, baskets: Map<Source, Basket>): number {
    const spare = this.#spare();
    const basket = basketOf(baskets, source);
    const foreseen = this.#links.imports?.isOn === true ? -1 : this.#choice.nextForeseen(source);
    if (foreseen >= 0) return this.#orderExactly(foreseen, false, source, now, basket);
    // What was left to the source a moment ago is not the less rare for that.
    if (basket.choices > 0) return basket.isSpare && spare === 'nothing' ? 0 : this.#leaveChoice(source, basket, now);
    const { chunk, copies, isSpare } = this.#choice.rarest(source, spare);
    if (chunk < 0) return 0;
    // What is left to a source to choose is taken back by the next read, and reads may follow each other for ever.
    if (copies > 1 || (isSpare && this.#links.spareTime.isBesideReads))
      return this.#orderExactly(chunk, isSpare, source, now, basket);
    // Only this source has it, as far as we see, and so others will be asking it too: it knows best which of these
    // chunks nobody has been given yet.
    const choice = source.isChoiceVain ? undefined : this.#choice.onlyAt(source, spare);
    if (choice === undefined || choice.ranges.length === 0) return 0;
    const count = countIn(choice.ranges);
    // These ranges take the place of those before: what is still to be chosen is what reads wait for.
    const most = choice.isSpare ? count : Math.max(count - source.choices, Math.min(1, source.spareChoices));
    if (most === 0) {
      const other = this.#choice.rarestSpare(source, spare).chunk;
      return other < 0 ? 0 : this.#orderExactly(other, true, source, now, basket);
    }
    basket.choiceRanges = choice.ranges;
    basket.choicesMost = most;
    basket.isSpare = choice.isSpare;
    if (!choice.isSpare) source.spareChoices = 0;
    return this.#leaveChoice(source, basket, now);
  }

  #orderExactly(chunk: number, isSpare: boolean, source: Source, now: number, basket: Basket): number {
    this.#links.orders.place(source, chunk, false, now, isSpare);
    basket.exact.push(chunk);
    if (isSpare) this.#filled(source, now);
    return this.#links.lengths.length(chunk);
  }

  /** What may be ordered now that nobody waits for. */
  #spare(): Spare {
    if (!this.#links.spareTime.mayFill()) return 'nothing';
    if (this.#hasRoom()) return 'anything';
    return this.#links.swaps.count > 0 ? 'swaps' : 'nothing';
  }

  #filled(source: Source, now: number): void {
    source.spareAt = now;
    this.#links.spareTime.filled();
  }

  #leaveChoice(source: Source, basket: Basket, now: number): number {
    if (basket.choices >= basket.choicesMost) return 0;
    if (source.choices === 0) source.choiceAt = now;
    source.choices++;
    if (basket.isSpare) {
      source.spareChoices++;
      this.#filled(source, now);
    }
    source.bytesOnOrder += this.#links.mean;
    basket.choices++;
    return this.#links.mean;
  }
}
