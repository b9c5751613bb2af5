/** Datagrams of one host that are looked at: per second, and at once. A field of thousands sends each node a few. */
const PER_SECOND = 1000;
const AT_ONCE = 2000;
const HOSTS = 4096;

interface Account {
  left: number;
  at: number;
}

/** How many datagrams each host may have looked at: who sends more has the rest thrown away unread. */
export class Pace {
  readonly #accounts = new Map<string, Account>();

  mayTake(host: string, now: number): boolean {
    let account = this.#accounts.get(host);
    if (account === undefined) {
      account = { left: AT_ONCE, at: now };
      this.#accounts.set(host, account);
      this.#forget();
    }
    account.left = Math.min(AT_ONCE, account.left + ((now - account.at) * PER_SECOND) / 1000);
    account.at = now;
    if (account.left < 1) return false;
    account.left--;
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
