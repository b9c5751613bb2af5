/** Bytes per second on the wire in the last minutes: the image from and to other machines, boot files to them. */
export interface Rates {
  /** Each value is the mean of so many seconds. */
  readonly everySeconds: number;
  /** The oldest first. */
  readonly in: readonly number[];
  readonly out: readonly number[];
}

/** Bytes so far; they may begin anew at 0, when what counts them does. */
export interface Counters {
  readonly in: number;
  readonly out: number;
}

export const RATE_EVERY_SECONDS = 5;
/** Five minutes. */
export const RATES_KEPT = 60;

/** What a machine has moved lately, of counters that only grow. Pure. */
export class RateHistory {
  #last: { readonly counters: Counters; readonly atMs: number } | undefined;
  readonly #in: number[] = [];
  readonly #out: number[] = [];

  /** To be called every {@link RATE_EVERY_SECONDS}; what a late call brings is spread over the time that it is late. */
  take(counters: Counters, nowMs: number): void {
    const last = this.#last;
    this.#last = { counters, atMs: nowMs };
    if (last === undefined) return;
    const seconds = Math.max(0.001, (nowMs - last.atMs) / 1000);
    const rate = (now: number, before: number) => Math.round(Math.max(0, now < before ? now : now - before) / seconds);
    const times = Math.min(RATES_KEPT, Math.max(1, Math.round(seconds / RATE_EVERY_SECONDS)));
    for (let i = 0; i < times; i++) {
      this.#in.push(rate(counters.in, last.counters.in));
      this.#out.push(rate(counters.out, last.counters.out));
    }
    for (const kept of [this.#in, this.#out]) kept.splice(0, Math.max(0, kept.length - RATES_KEPT));
  }

  get rates(): Rates {
    return { everySeconds: RATE_EVERY_SECONDS, in: [...this.#in], out: [...this.#out] };
  }
}
