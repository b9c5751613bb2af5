import { TokenBucket } from './token-bucket.ts';

export interface HostAccountsOptions {
  /** What one host may cost: per second, and at once. */
  readonly perSecond: number;
  readonly atOnce: number;
  /** Hosts remembered; the one met first is forgotten for a new one. */
  readonly hosts: number;
}

/** What each host may cost, over everything that comes from it: who overdraws is not looked at until it has waited. */
export class HostAccounts {
  readonly #options: HostAccountsOptions;
  readonly #accounts = new Map<string, TokenBucket>();

  constructor(options: HostAccountsOptions) {
    this.#options = options;
  }

  /** Takes so much from a host's account; false when that has less. */
  spend(host: string, cost: number, now: number): boolean {
    let account = this.#accounts.get(host);
    if (account === undefined) {
      account = new TokenBucket(this.#options.perSecond, this.#options.atOnce, now);
      this.#accounts.set(host, account);
      this.#forget();
    }
    return account.spend(cost, now);
  }

  #forget(): void {
    if (this.#accounts.size <= this.#options.hosts) return;
    for (const oldest of this.#accounts.keys()) {
      this.#accounts.delete(oldest);
      return;
    }
  }
}

/**
 * Chunks, or rows of the table, that the messages of one host may have us look up, count or note. A few bytes can name a
 * million chunks; who asks for that again and again would have the event loop for itself.
 */
export const EFFORT: HostAccountsOptions = { perSecond: 400_000, atOnce: 6_000_000, hosts: 1024 };

/** Datagrams of one host that are looked at. A field of thousands sends each node a few. */
export const DATAGRAMS: HostAccountsOptions = { perSecond: 1000, atOnce: 2000, hosts: 4096 };
