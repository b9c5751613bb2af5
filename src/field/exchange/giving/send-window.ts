/** Bytes on their way that nobody has confirmed: few uploads at a time, each quick, so that chains form. */
const LEAST = 1024 << 10;
const MOST = 16 << 20;
/** The window grows while a chunk waits on its way for less than this, and shrinks when it waits for longer than that. */
const QUICK_MS = 100;
const SLOW_MS = 400;

/** How much may be on its way to all clients together. */
export class SendWindow {
  #bytes = LEAST;
  #most = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** So much is on its way now. */
  filled(load: number): void {
    this.#most = Math.max(this.#most, load);
  }

  /**
   * A chunk was confirmed.
   * @param waitedMs for how much longer than the shortest way there and back
   * @param load what is still on its way
   */
  confirmed(bytes: number, waitedMs: number, load: () => number): void {
    // Only a window that was full says anything about the link.
    if (this.#most + 2 * bytes < this.#bytes) return;
    if (waitedMs < QUICK_MS) this.#bytes = Math.min(this.#bytes + bytes / 2, MOST);
    else if (waitedMs > SLOW_MS) this.#bytes = Math.max(this.#bytes - bytes / 4, LEAST);
    this.#most = load();
  }
}
