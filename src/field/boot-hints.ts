import type { FieldEvent } from './event.ts';
import type { BootOrder } from './wire/boot-order.ts';

/** What a node is told of the boot that reads from it, and what it asks of and tells its peers about theirs. */
export class BootHints {
  readonly #feed: (event: FieldEvent) => void;
  #isLookingAhead = false;
  #take: (order: BootOrder) => void = () => {};

  constructor(feed: (event: FieldEvent) => void) {
    this.#feed = feed;
  }

  /** Has chunks fetched ahead, in this order, as long as those that `firstRead` tells of are among them. None twice. */
  lookAhead(order: readonly number[]): void {
    if (order.length === 0) return;
    this.#isLookingAhead = true;
    this.#feed({ kind: 'agenda', order });
  }

  /** A chunk is read for the first time. */
  firstRead(chunk: number): void {
    if (this.#isLookingAhead) this.#feed({ kind: 'first read', chunk });
  }

  /** Asks peers what boots of theirs read. @param take gets the first answer, if ever one comes, and the next when it proved wrong */
  seek(take: (order: BootOrder) => void): void {
    this.#take = take;
    this.#feed({ kind: 'seek profile' });
  }

  /** A peer has answered. */
  came(order: BootOrder): void {
    this.#take(order);
  }

  /** What the boot of this machine read, for peers whose boot begins. */
  give(order: BootOrder): void {
    this.#feed({ kind: 'give profile', order });
  }
}
