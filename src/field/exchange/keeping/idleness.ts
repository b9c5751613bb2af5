/** A machine is idle when its device was not read past the node's memory for so long. */
const QUIET_MS = 1200;
/** A read that waits counts as reading, on a slow wire too; after so long it waits for what nobody has. */
const WAITING_MS = 30_000;
/** A machine that is being started reads nothing for a while after its device is there, and then all the more. */
const FIRST_READ_MS = 30_000;
/** Until then, chunks fetched beside its reads, and how often: a machine that reads for ever fills its memory too. */
const SPARE_CHUNKS = 4;
const SPARE_CHUNKS_WHEN_BUSY = 1;
const SPARE_MS = 500;
/** What other programs take of the processors' time while a machine boots; less, and there is room for what is not urgent. */
const BUSY_SHARE = 0.35;
/** After that it is no boot that keeps the processors busy: a machine that computes for ever shall keep its share too. */
const BOOT_MS = 300_000;

/**
 * When a machine that runs from the field fetches what it did not ask for. At its boot every cycle and every packet is
 * wanted for what it reads; what it keeps for others can come a minute later. Pure: told what happens and when.
 */
export class Idleness {
  #readAt: number | undefined;
  #since: number | undefined;
  #waitedAt = Number.NEGATIVE_INFINITY;
  #spareAt = Number.NEGATIVE_INFINITY;
  #spare = 0;
  #isIdle = true;
  #isBusy = false;
  #bootEnds: number | undefined;

  /** Something was read that had to be fetched. */
  read(now: number): void {
    this.#readAt = now;
  }

  /**
   * What all other programs took of the time of all processors lately, 0 to 1. A slow processor works for seconds on what
   * it has read: that nothing is read does not show that its boot is over.
   */
  processors(others: number, now: number): void {
    this.#bootEnds ??= now + BOOT_MS;
    this.#isBusy = others > BUSY_SHARE;
  }

  /** Whether one more chunk may be fetched in advance. @param isWaiting a read waits for what is fetched */
  mayFill(now: number, isWaiting: boolean): boolean {
    this.#since ??= now;
    const readAt = this.#readAt ?? this.#since + FIRST_READ_MS - QUIET_MS;
    if (isWaiting && now - readAt < WAITING_MS) this.#waitedAt = now;
    // Who tells of the processors may have ended with the boot.
    const isBusy = this.#isBusy && now < (this.#bootEnds ?? now);
    this.#isIdle = now - Math.max(readAt, this.#waitedAt) >= QUIET_MS && !isBusy;
    if (!this.#isIdle && now - this.#spareAt >= SPARE_MS) {
      this.#spareAt = now;
      this.#spare = isBusy ? SPARE_CHUNKS_WHEN_BUSY : SPARE_CHUNKS;
    }
    return this.#isIdle || this.#spare > 0;
  }

  /** As it was when it was last asked. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** One was ordered. */
  filled(): void {
    if (!this.#isIdle) this.#spare--;
  }
}
