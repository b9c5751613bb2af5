export interface RateLimitOptions {
  /** Requests that an address has at once. */
  readonly burst: number;
  /** So many more come back each second. */
  readonly perSecond: number;
}

/** Of addresses beyond these, the one longest silent is forgotten: it has all its requests again. */
const MOST_ADDRESSES = 4096;

/** A bucket of requests for each address that asks. Pure. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #buckets = new Map<string, { readonly left: number; readonly atMs: number }>();

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** Whether this request is within what its address may ask; it is counted if so. */
  allow(address: string, nowMs: number): boolean {
    const { burst, perSecond } = this.#options;
    const bucket = this.#buckets.get(address);
    const left =
      bucket === undefined ? burst : Math.min(burst, bucket.left + ((nowMs - bucket.atMs) / 1000) * perSecond);
    const isAllowed = left >= 1;
    this.#buckets.delete(address); // to the end: the first in the map is the one longest silent
    this.#buckets.set(address, { left: isAllowed ? left - 1 : left, atMs: nowMs });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MOST_ADDRESSES && oldest !== undefined) this.#buckets.delete(oldest);
    return isAllowed;
  }
}

/** What the log says of one that asks: all of a boot or two, then a line a minute. */
const TOLD_OF_ONE = { burst: 20, perSecond: 1 / 60 };

/** A log of lines that others cause by asking, as often as they like: nobody's questions push out what it says of others. */
export function logOfAskers(log: (line: string) => void): (line: string, asker: string) => void {
  const limit = new RateLimit(TOLD_OF_ONE);
  return (line, asker) => {
    if (limit.allow(asker, performance.now())) log(line);
  };
}
