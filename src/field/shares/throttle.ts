import type { Limits } from './limits.ts';
import { TokenBucket } from './token-bucket.ts';

/** What may go at once after a pause, in time of the rate, and in bytes at least. */
const BURST_MS = 250;
const BURST_LEAST = 64 << 10;
/** What can wait leaves so much of that to what cannot. */
const RESERVE_SHARE = 0.5;
/** Nobody is woken for less: what may go by then goes together. */
const REST_MS = 5;

/** How much something matters: a `read` that waits, or what is fetched in advance. */
export type Need = 'read' | 'advance';

/**
 * A rate that is not exceeded: over any time at most the rate, a quarter of a second of it, and what was under way. A
 * chunk goes when there is anything left, whatever its size, and what it took too much is waited for afterwards.
 */
export class Throttle {
  #bucket: TokenBucket | undefined;

  /** @param bytesPerSecond undefined: no limit */
  set(bytesPerSecond: number | undefined, now: number): void {
    if (bytesPerSecond === this.#bucket?.perSecond) return;
    this.#bucket =
      bytesPerSecond === undefined
        ? undefined
        : new TokenBucket(bytesPerSecond, Math.max((bytesPerSecond * BURST_MS) / 1000, BURST_LEAST), now);
  }

  get bytesPerSecond(): number | undefined {
    return this.#bucket?.perSecond;
  }

  /** So many bytes went. */
  took(bytes: number, now: number): void {
    this.#bucket?.take(bytes, now);
  }

  /** Whether something may go, or be asked for while so many bytes are on order. */
  isOpen(need: Need, onOrder: number, now: number): boolean {
    return this.#bucket === undefined || this.#bucket.left(now) - onOrder > this.#reserve(this.#bucket, need);
  }

  /** When that will be, if nothing comes of what is on order; Infinity when it is so now, or only what comes changes it. */
  opensAt(need: Need, onOrder: number, now: number): number {
    const bucket = this.#bucket;
    if (bucket === undefined || this.isOpen(need, onOrder, now)) return Number.POSITIVE_INFINITY;
    const level = this.#reserve(bucket, need) + onOrder + 1;
    if (level > bucket.capacity) return Number.POSITIVE_INFINITY;
    return Math.max(bucket.whenLeft(level, now), now + REST_MS);
  }

  #reserve({ capacity }: TokenBucket, need: Need): number {
    return need === 'read' ? 0 : capacity * RESERVE_SHARE;
  }
}

/** What goes to peers, and what comes from them and from origins. */
export class Throttles {
  readonly up = new Throttle();
  readonly down = new Throttle();

  set({ upBytesPerSecond, downBytesPerSecond }: Limits, now: number): void {
    this.up.set(upBytesPerSecond, now);
    this.down.set(downBytesPerSecond, now);
  }

  get limits(): Limits {
    return { upBytesPerSecond: this.up.bytesPerSecond, downBytesPerSecond: this.down.bytesPerSecond };
  }
}
