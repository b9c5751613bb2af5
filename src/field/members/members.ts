import { isUnspecified } from '../wire/address.ts';
import type { NodeId, NodeRecord } from '../wire/record.ts';
import type { VTable } from './v-table.ts';

/** Members that a node talks to: a few, and more only with the logarithm of the field. */
const CIRCLE_LEAST = 6;
const CIRCLE_TIMES = 2;

/**
 * Those of the other nodes that this one gossips with: a sample that changes slowly. To talk to any of thousands would
 * have each datagram begin with a broadcast for the other's hardware address (ARP), heard by all. As every node draws its
 * own sample, news go round as fast as if each talked to everybody, and with these sizes the chance that anybody is in
 * nobody's circle is below one in a hundred thousand.
 */
export class Members {
  readonly #table: VTable;
  readonly #self: NodeId;
  readonly #random: () => number;
  readonly #circle: NodeId[] = [];
  /** In the order they are asked in, shuffled anew in each round. */
  #round: NodeId[] = [];

  readonly #mayTalkTo: (record: NodeRecord) => boolean;

  constructor(
    table: VTable,
    self: NodeId,
    random: () => number,
    mayTalkTo: (record: NodeRecord) => boolean = () => true,
  ) {
    this.#table = table;
    this.#self = self;
    this.#random = random;
    this.#mayTalkTo = mayTalkTo;
  }

  /** A node is new in the table: it comes into the circle as likely as any other. */
  appeared(node: NodeId): void {
    const wanted = this.#wanted();
    if (!this.#isEligible(node)) return;
    if (this.#circle.length < wanted) this.#circle.push(node);
    else if (this.#random() * this.#table.size < wanted) this.#circle[this.#any(this.#circle.length)] = node;
  }

  /** Some members of the circle, chosen at random. */
  pick(count: number): NodeRecord[] {
    this.#tend();
    const left = [...this.#circle];
    const picked: NodeRecord[] = [];
    while (left.length > 0 && picked.length < count) {
      const [node] = left.splice(this.#any(left.length), 1);
      const record = node === undefined ? undefined : this.#table.get(node);
      if (record !== undefined && !isUnspecified(record.address)) picked.push(record);
    }
    return picked;
  }

  /** The next one of the round: each of the circle comes once in it. After each round, one of them is exchanged. */
  next(): NodeRecord | undefined {
    if (this.#round.length === 0) {
      if (this.#circle.length > 0) this.#circle.splice(this.#any(this.#circle.length), 1);
      this.#tend();
      this.#round = [...this.#circle];
      shuffle(this.#round, this.#random);
    }
    for (let node = this.#round.pop(); node !== undefined; node = this.#round.pop()) {
      const record = this.#table.get(node);
      if (record !== undefined && this.#mayTalkTo(record)) return record;
    }
    return undefined;
  }

  #wanted(): number {
    return CIRCLE_LEAST + Math.ceil(CIRCLE_TIMES * Math.log2(this.#table.size + 1));
  }

  /** Who is gone leaves the circle, and others take the places that are free. */
  #tend(): void {
    const circle = this.#circle;
    for (let i = circle.length - 1; i >= 0; i--) {
      const record = this.#table.get(circle[i] as NodeId);
      if (record === undefined || !this.#mayTalkTo(record)) circle.splice(i, 1);
    }
    const wanted = this.#wanted();
    if (circle.length >= wanted) return;
    const rows = this.#table.rows();
    if (rows.length <= 2 * wanted) {
      const others = this.#table.rows().map(({ node }) => node);
      shuffle(others, this.#random);
      for (const node of others) {
        if (circle.length >= wanted) return;
        if (this.#isEligible(node)) circle.push(node);
      }
      return;
    }
    for (let tries = 0; tries < 4 * wanted && circle.length < wanted; tries++) {
      const node = rows[this.#any(rows.length)]?.node;
      if (node !== undefined && this.#isEligible(node)) circle.push(node);
    }
  }

  #isEligible(node: NodeId): boolean {
    const record = this.#table.get(node);
    return node !== this.#self && !this.#circle.includes(node) && record !== undefined && this.#mayTalkTo(record);
  }

  #any(count: number): number {
    return Math.floor(this.#random() * count);
  }
}

function shuffle<T>(list: T[], random: () => number): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j] as T, list[i] as T];
  }
}
