import { isUnspecified } from './address.ts';
import type { NodeId, NodeRecord } from './record.ts';
import type { VTable } from './v-table.ts';

/** The other nodes of the table: some at random, or one after the other. */
export class Members {
  readonly #table: VTable;
  readonly #self: NodeId;
  readonly #random: () => number;
  /** In the order they are asked in, shuffled anew in each round. */
  #round: NodeId[] = [];

  constructor(table: VTable, self: NodeId, random: () => number) {
    this.#table = table;
    this.#self = self;
    this.#random = random;
  }

  /** Some members, chosen at random. */
  pick(count: number): NodeRecord[] {
    const rows = this.#table.rows();
    const picked: NodeRecord[] = [];
    for (let tries = 0; tries < count * 6 && picked.length < count; tries++) {
      const record = rows[Math.floor(this.#random() * rows.length)];
      if (record === undefined || record.node === this.#self || isUnspecified(record.address)) continue;
      if (!picked.some(({ node }) => node === record.node)) picked.push(record);
    }
    return picked;
  }

  /** The next one of the round: each comes once in it. */
  next(): NodeRecord | undefined {
    if (this.#round.length === 0) {
      this.#round = [...this.#table.nodes()].map(({ node }) => node).filter((node) => node !== this.#self);
      shuffle(this.#round, this.#random);
    }
    for (let node = this.#round.pop(); node !== undefined; node = this.#round.pop()) {
      const record = this.#table.get(node);
      if (record !== undefined) return record;
    }
    return undefined;
  }
}

function shuffle<T>(list: T[], random: () => number): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j] as T, list[i] as T];
  }
}
