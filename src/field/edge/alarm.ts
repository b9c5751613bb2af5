/** Times farther off are looked at again then. */
const LONGEST_MS = 60_000;

/** Rings at a time that is set anew all the while: the earliest counts. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at `at`, of performance.now(), unless it does so before; perhaps sooner. */
  set(at: number): void {
    if (at >= this.#at - 1) return;
    clearTimeout(this.#timer);
    this.#at = at;
    const delay = Math.max(0, Math.ceil(at - performance.now()));
    this.#timer = setTimeout(
      () => {
        this.#at = Number.POSITIVE_INFINITY;
        this.#ring();
      },
      Math.min(delay, LONGEST_MS),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
