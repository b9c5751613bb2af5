import type { FieldEvent } from '../../event.ts';
import type { VTable } from '../../members/v-table.ts';
import type { NodeId } from '../../wire/record.ts';
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
  /** This machine runs from the field: what it reads goes before what it keeps for others. */
  readonly readsFirst: boolean;
}

/** When chunks are fetched that nobody has asked for, and how fast. */
export class SpareTime {
  readonly #readsFirst: boolean;
  readonly #handover: Handover;
  readonly #idleness = new Idleness();
  readonly #pace = new Pace();
  #readAt = Number.NEGATIVE_INFINITY;
  #manyAt = Number.NEGATIVE_INFINITY;

  constructor({ table, node, readsFirst }: SpareTimeOptions) {
    this.#readsFirst = readsFirst;
    this.#handover = new Handover(table, node);
  }

  /** Sees each event before it is handled. */
  see(event: FieldEvent, now: number): void {
    if (event.kind === 'chunk') this.#pace.arrived(now);
    if (event.kind === 'read') {
      this.#idleness.read(now);
      this.#readAt = now;
    }
    if (event.kind === 'processors') this.#idleness.processors(event.others, now);
  }

  /** After an event: whether anything is on order. */
  ordered(isBusy: boolean, now: number): void {
    if (!isBusy) this.#pace.settled(now);
  }

  /**
   * Whether one more chunk may be ordered now; if so it counts as ordered.
   * @param chunks in the image @param waiting reads that wait for what is fetched
   */
  mayFill(chunks: number, waiting: number, now: number): boolean {
    if (this.#handover.isOn(chunks, now)) return true;
    if (this.#readsFirst) return this.#idleness.mayFill(now, waiting > 0) && this.#pace.mayOrder(now);
    if (waiting > FEW_READS) this.#manyAt = now;
    const isDelayed = now - this.#readAt < READING_MS && now - this.#manyAt >= READING_MS;
    return !isDelayed || this.#pace.mayOrder(now);
  }

  /** When to look again; Infinity when nothing is put off. */
  nextAt(now: number): number {
    return this.#pace.nextAt(now);
  }
}
