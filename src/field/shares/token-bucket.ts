/**
 * An account that fills at a rate up to a bound, and from which is spent. Pure: the time (ms) is the caller's. Times that
 * go back are taken as no time.
 */
export class TokenBucket {
  readonly perSecond: number;
  readonly capacity: number;
  #left: number;
  #at: number;

  /** Full at first. @param perSecond above 0 @param capacity above 0 */
  constructor(perSecond: number, capacity: number, now: number) {
    this.perSecond = perSecond;
    this.capacity = capacity;
    this.#left = capacity;
    this.#at = now;
  }

  /** What is there now; below 0 when more was taken than there was. */
  left(now: number): number {
    if (now > this.#at) {
      this.#left = Math.min(this.capacity, this.#left + ((now - this.#at) * this.perSecond) / 1000);
      this.#at = now;
    }
    return this.#left;
  }

  /** Takes so much when it is there; else nothing. */
  spend(cost: number, now: number): boolean {
    if (this.left(now) < cost) return false;
    this.#left -= cost;
    return true;
  }

  /** Takes so much, whatever is there: what is owed is paid before anything else. */
  take(cost: number, now: number): void {
    this.#left = this.left(now) - cost;
  }

  /** When, at the earliest, there is so much, if nothing is taken until then; Infinity for more than it can hold. */
  whenLeft(amount: number, now: number): number {
    const lacking = amount - this.left(now);
    if (lacking <= 0) return now;
    return amount > this.capacity ? Number.POSITIVE_INFINITY : now + (lacking / this.perSecond) * 1000;
  }
}
