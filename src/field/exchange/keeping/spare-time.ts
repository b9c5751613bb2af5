import type { FieldEvent } from '../../event.ts';
import type { VTable } from '../../members/v-table.ts';
import type { NodeId } from '../../wire/record.ts';
import { Handover } from './handover.ts';
import { Idleness } from './idleness.ts';
import { Pace } from './pace.ts';

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

  constructor({ table, node, readsFirst }: SpareTimeOptions) {
    this.#readsFirst = readsFirst;
    this.#handover = new Handover(table, node);
  }

  /** Sees each event before it is handled. */
  see(event: FieldEvent, now: number): void {
    if (event.kind === 'chunk') this.#pace.arrived();
    if (event.kind === 'read') this.#idleness.read(now);
    if (event.kind === 'processors') this.#idleness.processors(event.others, now);
  }

  /** After an event: whether anything is on order. */
  ordered(isBusy: boolean, now: number): void {
    if (!isBusy) this.#pace.settled(now);
  }

  /**
   * Whether one more chunk may be ordered now; if so it counts as ordered.
   * @param chunks in the image @param isWaiting a read waits for what is fetched
   */
  mayFill(chunks: number, isWaiting: boolean, now: number): boolean {
    if (!this.#readsFirst || this.#handover.isOn(chunks, now)) return true;
    return this.#idleness.mayFill(now, isWaiting) && this.#pace.mayOrder(now);
  }

  /** When to look again; Infinity when nothing is put off. */
  nextAt(now: number): number {
    return this.#readsFirst ? this.#pace.nextAt(now) : Number.POSITIVE_INFINITY;
  }
}
