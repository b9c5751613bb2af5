/** A machine is idle when its device was not read past the node's memory for so long. */
const QUIET_MS = 1200;
/** Until then, chunks fetched beside its reads, and how often: a machine that reads for ever fills its memory too. */
const SPARE_CHUNKS = 4;
const SPARE_MS = 500;

/**
 * When a machine that runs from the field fetches what it did not ask for. At its boot every cycle and every packet is
 * wanted for what it reads; what it keeps for others can come a minute later. Pure: told what happens and when.
 */
export class Idleness {
  #readAt = Number.NEGATIVE_INFINITY;
  #spareAt = Number.NEGATIVE_INFINITY;
  #spare = 0;

  /** Something was read that had to be fetched. */
  read(now: number): void {
    this.#readAt = now;
  }

  /** Whether one more chunk may be fetched in advance. */
  mayFill(now: number): boolean {
    if (now - this.#readAt >= QUIET_MS) return true;
    if (now - this.#spareAt >= SPARE_MS) {
      this.#spareAt = now;
      this.#spare = SPARE_CHUNKS;
    }
    return this.#spare-- > 0;
  }
}
