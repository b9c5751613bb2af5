import { type Address, hostOf } from '../wire/address.ts';

/** Addresses believed to be real, and for how long. */
const PROVEN_LIMIT = 16_384;
const PROVEN_OF_HOST = 512;
const PROVEN_MS = 600_000;
/** A cookie said again within this time is not looked at: that costs an HMAC with each datagram. */
const FRESH_MS = 60_000;
const COOKIES_LIMIT = 64;

/** Which addresses are real, and what we have to say to be believed ourselves. */
export class Acquaintances {
  readonly #proven = new Map<Address, number>();
  readonly #ofHost = new Map<string, number>();
  /** Cookies others gave us, to be said back to them. */
  readonly #cookies = new Map<Address, Uint8Array>();

  prove(address: Address, now: number): void {
    const host = hostOf(address);
    const count = this.#ofHost.get(host) ?? 0;
    if (!this.#proven.delete(address)) {
      // One host can show that it has all of its ports: it does not push others out by that.
      if (count >= PROVEN_OF_HOST) return;
      this.#ofHost.set(host, count + 1);
    }
    this.#proven.set(address, now);
    if (this.#proven.size <= PROVEN_LIMIT) return;
    for (const oldest of this.#proven.keys()) {
      this.#forget(oldest);
      return;
    }
  }

  #forget(address: Address): void {
    this.#proven.delete(address);
    const host = hostOf(address);
    const left = (this.#ofHost.get(host) ?? 1) - 1;
    if (left > 0) this.#ofHost.set(host, left);
    else this.#ofHost.delete(host);
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
