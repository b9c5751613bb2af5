/** How long bytes are counted before they tell a rate, and after what pause the rate before it no longer counts. */
const SPAN_MS = 250;
const PAUSE_MS = 2000;

/** A rate of arrivals, smoothed. */
export class RateMeter {
  #bytesPerSecond = 0;
  #bytes = 0;
  #since = 0;

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  add(bytes: number, now: number): void {
    this.#bytes += bytes;
    const span = now - this.#since;
    if (span < SPAN_MS) return;
    const rate = (this.#bytes * 1000) / span;
    this.#bytesPerSecond = span > PAUSE_MS ? rate : 0.5 * this.#bytesPerSecond + 0.5 * rate;
    this.#since = now;
    this.#bytes = 0;
  }
}
