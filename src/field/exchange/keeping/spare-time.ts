import type { FieldEvent } from '../../event.ts';
import type { VTable } from '../../members/v-table.ts';
import type { NodeId } from '../../wire/record.ts';
import type { SpareTimeLinks } from '../fetching/advance.ts';
import type { Stock } from '../stock.ts';
import { Handover } from './handover.ts';
import { Idleness } from './idleness.ts';
import { Pace } from './pace.ts';

/** Who has no more reads than these wait at a time has each wait for the one before it: every delay is one of the whole. */
const FEW_READS = 2;
/** So long after the last of these nobody is taken to read any more. */
const READING_MS = 1200;

export interface SpareTimeOptions {
  readonly table: VTable;
  readonly node: NodeId;
  /** Anything is fetched at all that nobody has asked for. */
  readonly fill: boolean;
  /** This machine runs from the field: what it reads goes before what it keeps for others. */
  readonly readsFirst: boolean;
  readonly isLeaving: () => boolean;
  /** All of the image is wanted, beside reads too. */
  readonly isPreheating: () => boolean;
  readonly stock: () => Pick<Stock, 'lengths' | 'reads' | 'fetcher'> | undefined;
}

/** When chunks are fetched that nobody has asked for, and how fast. */
export class SpareTime implements SpareTimeLinks {
  readonly #options: SpareTimeOptions;
  readonly #handover: Handover;
  readonly #idleness = new Idleness();
  readonly #pace = new Pace();
  /** Chunks are fetched as if they were asked for. */
  #isHurried = false;
  /** Of the event that is handled. */
  #now = 0;
  #readAt = Number.NEGATIVE_INFINITY;
  #manyAt = Number.NEGATIVE_INFINITY;

  constructor(options: SpareTimeOptions) {
    this.#options = options;
    this.#handover = new Handover(options.table, options.node);
  }

  /** Sees each event before it is handled. */
  see(event: FieldEvent, now: number): void {
    this.#now = now;
    if (event.kind === 'read') {
      this.#idleness.read(now);
      this.#readAt = now;
    }
    if (event.kind === 'processors') this.#idleness.processors(event.others, now);
  }

  mayFill(): boolean {
    const { fill, readsFirst, isLeaving, isPreheating, stock } = this.#options;
    if (!fill || isLeaving()) return false;
    const { lengths, reads } = stock() ?? {};
    const waiting = reads?.length ?? 0;
    if (waiting > FEW_READS) this.#manyAt = this.#now;
    this.#isHurried =
      isPreheating() || (!readsFirst && !this.#isDelaying()) || this.#handover.isOn(lengths?.count ?? 0, this.#now);
    if (this.#isHurried) return true;
    const isTime = !readsFirst || this.#idleness.mayFill(this.#now, waiting > 0);
    return isTime && this.#pace.mayOrder(this.#now);
  }

  /** Somebody reads one thing after the other. */
  #isDelaying(): boolean {
    return this.#now - this.#readAt < READING_MS && this.#now - this.#manyAt >= READING_MS;
  }

  get isBesideReads(): boolean {
    return !this.#isHurried && !(this.#options.readsFirst && this.#idleness.isIdle);
  }

  filled(): void {
    if (this.#isHurried) return;
    if (this.#options.readsFirst) this.#idleness.filled();
    this.#pace.ordered(this.#now);
  }

  arrived(): void {
    this.#pace.arrived(this.#now);
  }

  /** After an event. */
  look(): void {
    if (this.#options.stock()?.fetcher.spareOnOrder(this.#now) === 0) this.#pace.settled(this.#now);
  }

  /** When to look again; Infinity when nothing is put off. */
  nextAt(now: number): number {
    return this.#pace.nextAt(now);
  }
}
