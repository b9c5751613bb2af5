import { hostOf } from '../wire/address.ts';

/** Connections whose other side has not said who it is. */
const STRANGERS_LIMIT = 128;
const OF_ONE_HOST = 32;

interface Stranger {
  readonly host: string;
  readonly close: (why: string) => void;
}

/** Who has connected and not yet greeted: the oldest makes room for who comes, of the host that has most of them first. */
export class Doorkeeper {
  readonly #strangers = new Set<Stranger>();

  /** @returns to be called once it has greeted, or is gone */
  came(address: string, close: (why: string) => void): () => void {
    const stranger = { host: hostOf(address), close };
    this.#strangers.add(stranger);
    const oldest = this.#oldestOfMost(stranger.host);
    if (oldest !== undefined) {
      this.#strangers.delete(oldest);
      oldest.close('says nothing, and others come');
    }
    return () => void this.#strangers.delete(stranger);
  }

  #oldestOfMost(newcomer: string): Stranger | undefined {
    const counts = new Map<string, number>();
    for (const { host } of this.#strangers) counts.set(host, (counts.get(host) ?? 0) + 1);
    if (this.#strangers.size <= STRANGERS_LIMIT && (counts.get(newcomer) ?? 0) <= OF_ONE_HOST) return undefined;
    const most = this.#strangers.size <= STRANGERS_LIMIT ? (counts.get(newcomer) ?? 0) : Math.max(...counts.values());
    for (const stranger of this.#strangers) {
      if (counts.get(stranger.host) === most) return stranger;
    }
    return undefined;
  }
}
