/** Chunks fetched in advance together. */
const BURST = 12;
/** A burst is slow when a chunk of it took so many times what one took in the fastest burst lately. */
const SLOW = 2;
/** Rest after a burst, in times of what it took; a slow one was slowed down by what somebody else does there. */
const REST = 0.5;
const REST_WHEN_SLOW = 2;
const REST_MOST_MS = 2000;
/** When nothing could be ordered, though there is room for more, it is tried again so much later. */
const AGAIN_MS = 2000;
/** So much of the fastest burst is forgotten with each: what has become slower for good is the measure in a minute or two. */
const FORGOTTEN = 1.01;

/**
 * How fast chunks are fetched that nobody waits for. They come in bursts with rests between, so that a third of the wire and
 * of the giver's processor is always free; when a burst takes longer than they did, somebody needs those, and rests grow
 * (as LEDBAT has it for packets, RFC 6817: delay is what others feel of us). Pure: told what happens and when.
 */
export class Pace {
  #ordered = 0;
  #arrived = 0;
  #began = 0;
  #restUntil = Number.NEGATIVE_INFINITY;
  #fastestMs = Number.POSITIVE_INFINITY;

  /** Whether one more chunk may be ordered; if so it counts as ordered. */
  mayOrder(now: number): boolean {
    if (now < this.#restUntil || this.#ordered >= BURST) return false;
    if (this.#ordered === 0) this.#began = now;
    this.#ordered++;
    return true;
  }

  arrived(now: number): void {
    if (this.#ordered === 0) return;
    this.#arrived++;
    // Beside one who reads without end something is always on order.
    if (this.#ordered >= BURST && this.#arrived >= this.#ordered) this.settled(now);
  }

  /** Nothing is on order any more. */
  settled(now: number): void {
    const [ordered, arrived] = [this.#ordered, this.#arrived];
    this.#ordered = 0;
    this.#arrived = 0;
    if (arrived === 0) {
      if (ordered > 0) this.#restUntil = now + AGAIN_MS;
      return;
    }
    const tookMs = now - this.#began;
    const eachMs = tookMs / arrived;
    const isSlow = eachMs > SLOW * this.#fastestMs;
    this.#fastestMs = Math.min(this.#fastestMs * FORGOTTEN, eachMs);
    this.#restUntil = now + Math.min(tookMs * (isSlow ? REST_WHEN_SLOW : REST), REST_MOST_MS);
  }

  /** When the next burst may begin, to be woken then; Infinity when one is on its way, or may begin now. */
  nextAt(now: number): number {
    return now < this.#restUntil ? this.#restUntil : Number.POSITIVE_INFINITY;
  }
}
