import type { VTable } from '../../members/v-table.ts';
import { type NodeId, STATE_LEAVING } from '../../wire/record.ts';

/** The table is looked through no more often: it may have thousands of rows, and changes with each of them. */
const LOOK_MS = 200;
/** Who leaves is gone in half a minute (departure.ts). Who only says so for longer hurries nobody. */
const LEAVING_MS = 45_000;

/**
 * Whether a node is about to go that may hold what nobody else does. It waits for seconds only (departure.ts), and what
 * is not fetched by then is lost: whatever else keeps a machine busy, this goes first.
 */
export class Handover {
  readonly #table: VTable;
  readonly #self: NodeId;
  /** Since when members have been known to leave, as long as they are members: to come back and to leave again counts on. */
  readonly #since = new Map<NodeId, number>();
  #seen = -1;
  #lookAt = Number.NEGATIVE_INFINITY;
  #until = Number.NEGATIVE_INFINITY;

  constructor(table: VTable, self: NodeId) {
    this.#table = table;
    this.#self = self;
  }

  /** @param chunks in the image */
  isOn(chunks: number, now: number): boolean {
    if (this.#table.changes !== this.#seen && now >= this.#lookAt) {
      this.#seen = this.#table.changes;
      this.#lookAt = now + LOOK_MS;
      this.#until = this.#look(chunks, now);
    }
    return now < this.#until;
  }

  /** @returns until when what somebody has who leaves is waited for; -Infinity: nobody leaves, or another one has all */
  #look(chunks: number, now: number): number {
    let until = Number.NEGATIVE_INFINITY;
    let isAll = false;
    for (const { node, state, summary } of this.#table.rows()) {
      if (node === this.#self) continue;
      if (state !== STATE_LEAVING) isAll ||= summary.count === chunks;
      else if (summary.count > 0) {
        const since = this.#since.get(node) ?? now;
        this.#since.set(node, since);
        until = Math.max(until, since + LEAVING_MS);
      }
    }
    for (const node of this.#since.keys()) if (this.#table.get(node) === undefined) this.#since.delete(node);
    return isAll ? Number.NEGATIVE_INFINITY : until;
  }
}
