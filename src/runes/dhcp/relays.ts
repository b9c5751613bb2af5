import { isIPv4 } from 'node:net';

/** Anybody may send as a relay: so many are answered. */
export const MOST_RELAYS = 16;

/** Where all places are taken, one becomes free so often: a made-up relay keeps a real one out no longer. */
const PLACE_MS = 60_000;

/** Routers that have handed on a question of another subnet. Pure. */
export class Relays {
  /** The one that was heard of first is the first. */
  readonly #known = new Set<string>();
  #lastMs = Number.NEGATIVE_INFINITY;
  #changes = 0;

  get addresses(): readonly string[] {
    return [...this.#known];
  }

  /** How often the list has changed. */
  get changes(): number {
    return this.#changes;
  }

  /** @returns whether it is new and has a place, for which the oldest may have gone: that one has to be heard again */
  hear(address: string, nowMs: number): boolean {
    if (!isIPv4(address) || this.#known.has(address)) return false;
    if (this.#known.size >= MOST_RELAYS) {
      const [oldest] = this.#known;
      if (oldest === undefined || nowMs - this.#lastMs < PLACE_MS) return false;
      this.#known.delete(oldest);
    }
    this.#known.add(address);
    this.#lastMs = nowMs;
    this.#changes++;
    return true;
  }
}
