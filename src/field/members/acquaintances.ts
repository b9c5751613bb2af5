import type { Address } from '../wire/address.ts';

/** Addresses believed to be real, and for how long. */
const PROVEN_LIMIT = 16_384;
const PROVEN_MS = 600_000;
/** A cookie said again within this time is not looked at: that costs an HMAC with each datagram. */
const FRESH_MS = 60_000;
const COOKIES_LIMIT = 64;

/** Which addresses are real, and what we have to say to be believed ourselves. */
export class Acquaintances {
  readonly #proven = new Map<Address, number>();
  /** Cookies others gave us, to be said back to them. */
  readonly #cookies = new Map<Address, Uint8Array>();

  prove(address: Address, now: number): void {
    this.#proven.delete(address);
    this.#proven.set(address, now);
    dropOldest(this.#proven, PROVEN_LIMIT);
  }

  isProven(address: Address, now: number): boolean {
    return this.#isProvenSince(address, now - PROVEN_MS);
  }

  isFreshlyProven(address: Address, now: number): boolean {
    return this.#isProvenSince(address, now - FRESH_MS);
  }

  #isProvenSince(address: Address, then: number): boolean {
    return then < (this.#proven.get(address) ?? Number.NEGATIVE_INFINITY);
  }

  takeCookie(from: Address, cookie: Uint8Array): void {
    this.#cookies.delete(from);
    this.#cookies.set(from, cookie);
    dropOldest(this.#cookies, COOKIES_LIMIT);
  }

  cookie(to: Address): Uint8Array | undefined {
    return this.#cookies.get(to);
  }
}

/** A Map keeps the order of insertion: the oldest goes. */
function dropOldest<K>(map: Map<K, unknown>, limit: number): void {
  if (map.size <= limit) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
