/** Chunks that one host may have us look up, count or note: per second, and at once. */
const PER_SECOND = 400_000;
const AT_ONCE = 6_000_000;
const HOSTS = 1024;

interface Account {
  left: number;
  at: number;
}

/**
 * What the messages of one host may cost, over all its connections. A few bytes can name a million chunks; who asks for
 * that again and again would have the event loop for itself.
 */
export class Effort {
  readonly #accounts = new Map<string, Account>();

  /** Takes so much from a host's account; false when that is overdrawn. */
  spend(host: string, cost: number, now: number): boolean {
    let account = this.#accounts.get(host);
    if (account === undefined) {
      account = { left: AT_ONCE, at: now };
      this.#accounts.set(host, account);
      this.#forget();
    }
    account.left = Math.min(AT_ONCE, account.left + ((now - account.at) * PER_SECOND) / 1000);
    account.at = now;
    if (account.left < cost) return false;
    account.left -= cost;
    return true;
  }

  #forget(): void {
    if (this.#accounts.size <= HOSTS) return;
    for (const oldest of this.#accounts.keys()) {
      this.#accounts.delete(oldest);
      return;
    }
  }
}
