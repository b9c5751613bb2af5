import type { VTable } from '../../members/v-table.ts';
import { type NodeId, STATE_LEAVING } from '../../wire/record.ts';

/** The table is looked through no more often: it may have thousands of rows, and changes with each of them. */
const LOOK_MS = 200;

/**
 * Whether a node is about to go that may hold what nobody else does. It waits for seconds only (departure.ts), and what
 * is not fetched by then is lost: whatever else keeps a machine busy, this goes first.
 */
export class Handover {
  readonly #table: VTable;
  readonly #self: NodeId;
  #seen = -1;
  #lookAt = Number.NEGATIVE_INFINITY;
  #isOn = false;

  constructor(table: VTable, self: NodeId) {
    this.#table = table;
    this.#self = self;
  }

  /** @param chunks in the image */
  isOn(chunks: number, now: number): boolean {
    if (this.#table.changes === this.#seen || now < this.#lookAt) return this.#isOn;
    this.#seen = this.#table.changes;
    this.#lookAt = now + LOOK_MS;
    this.#isOn = this.#look(chunks);
    return this.#isOn;
  }

  #look(chunks: number): boolean {
    let isSomebodyGoing = false;
    for (const { node, state, summary } of this.#table.rows()) {
      if (node === this.#self) continue;
      if (state !== STATE_LEAVING && summary.count === chunks) return false;
      isSomebodyGoing ||= state === STATE_LEAVING && summary.count > 0;
    }
    return isSomebodyGoing;
  }
}
