/** Chunks fetched in advance together. */
const BURST = 12;
/** A burst is slow when a chunk of it took so many times what one took in the fastest burst lately. */
const SLOW = 2;
/** Rest after a burst, in times of what it took; a slow one was slowed down by what somebody else does there. */
const REST = 0.5;
const REST_WHEN_SLOW = 2;
const REST_MOST_MS = 2000;
/** When nothing came of a burst, the next one begins so much later. */
const AGAIN_MS = 2000;
/** While chunks of a burst are on their way, it is looked so often whether they still are. */
const LOOK_MS = 250;
/** So much of the fastest burst is forgotten with each: what has become slower for good is the measure in a minute or two. */
const FORGOTTEN = 1.01;
/** No chunk counts as faster: some come within one tick of the clock, and would make all others slow for ever. */
const LEAST_MS = 0.2;

/**
 * How fast chunks are fetched that nobody waits for. They come in bursts with rests between, so that a third of the wire and
 * of the giver's processor is always free; when a burst takes longer than they did, somebody needs those, and rests grow
 * (as LEDBAT has it for packets, RFC 6817: delay is what others feel of us). What is fetched for reads meanwhile is none of
 * it. Pure: told what happens and when.
 */
export class Pace {
  #ordered = 0;
  #arrived = 0;
  #began = 0;
  #lastAt = 0;
  #restUntil = Number.NEGATIVE_INFINITY;
  #fastestMs = Number.POSITIVE_INFINITY;

  /** Whether one more chunk may be ordered. */
  mayOrder(now: number): boolean {
    return now >= this.#restUntil && this.#ordered < BURST;
  }

  ordered(now: number): void {
    if (this.#ordered === 0) this.#began = now;
    this.#ordered++;
  }

  arrived(now: number): void {
    if (this.#ordered === 0) return; // of a burst that was not waited for any more
    this.#arrived++;
    this.#lastAt = now;
  }

  /** Nothing of the burst is on its way any more, but maybe from sources that have fallen silent. */
  settled(now: number): void {
    const [ordered, arrived] = [this.#ordered, this.#arrived];
    if (ordered === 0) return;
    this.#ordered = 0;
    this.#arrived = 0;
    if (arrived === 0) {
      this.#restUntil = now + AGAIN_MS;
      return;
    }
    // One slow source does not make the others slow; when most is missing, they are.
    const tookMs = (arrived * 2 > ordered ? this.#lastAt : now) - this.#began;
    const eachMs = tookMs / arrived;
    const isSlow = eachMs > SLOW * this.#fastestMs;
    this.#fastestMs = Math.max(LEAST_MS, Math.min(this.#fastestMs * FORGOTTEN, eachMs));
    this.#restUntil = now + Math.min(tookMs * (isSlow ? REST_WHEN_SLOW : REST), REST_MOST_MS);
  }

  /** When to look again; Infinity when a burst may begin now. */
  nextAt(now: number): number {
    if (now < this.#restUntil) return this.#restUntil;
    return this.#ordered > 0 ? now + LOOK_MS : Number.POSITIVE_INFINITY;
  }
}
