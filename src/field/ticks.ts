/** While anything is on order or on its way, deadlines are looked at this often. */
const TICK_MS = 200;
/**
 * A wake that comes so much too late shows that this machine was too busy to listen: before anybody is found silent, what
 * waits in the sockets is taken. Once in a while only: who is always late must judge too.
 */
const LATE_MS = 250;
const EXCUSE_MS = 1000;

/** When deadlines are looked at: in ticks, as long as there are any. */
export class Ticks {
  #at = Number.POSITIVE_INFINITY;
  #excusedAt = 0;

  /** Infinity when there are none. */
  get nextAt(): number {
    return this.#at;
  }

  /** Something has begun that has a deadline. */
  start(now: number): void {
    if (this.#at === Number.POSITIVE_INFINITY) this.#at = now + TICK_MS;
  }

  /** Whether a wake that was due then has come so late that nothing is to be judged by it. */
  excuses(dueAt: number, now: number): boolean {
    if (now - dueAt <= LATE_MS || now - this.#excusedAt <= EXCUSE_MS) return false;
    this.#excusedAt = now;
    return true;
  }

  /** Whether it is time for a tick. @param isBusy asked for then: whether another one is to follow */
  isDue(now: number, isBusy: () => boolean): boolean {
    if (now < this.#at) return false;
    this.#at = isBusy() ? now + TICK_MS : Number.POSITIVE_INFINITY;
    return true;
  }
}
