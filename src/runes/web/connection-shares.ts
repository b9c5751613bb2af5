import type { Socket } from 'node:net';

/** One address has no more of them: a room behind a router that hides its addresses fits, and others have theirs. */
const MOST_OF_ONE = 128;

/**
 * The connections of a server, shared among the addresses that have them. When all are taken, who comes takes the oldest
 * of the address that has the most: one machine with several addresses keeps nobody out.
 */
export class ConnectionShares {
  readonly #most: number;
  readonly #byAddress = new Map<string, Set<Socket>>();
  #count = 0;

  /** @param most of all addresses together */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns whether it may stay; another one may be ended for it. Counted until it is closed. */
  take(socket: Socket): boolean {
    const from = socket.remoteAddress ?? '';
    const own = this.#byAddress.get(from)?.size ?? 0;
    if (own >= MOST_OF_ONE) return false;
    if (this.#count >= this.#most) {
      const [address, sockets] = this.#largest();
      const [oldest] = sockets;
      if (oldest === undefined || own >= sockets.size) return false;
      this.#release(address, oldest);
      oldest.destroy();
    }
    const taken = this.#byAddress.get(from) ?? new Set<Socket>();
    this.#byAddress.set(from, taken.add(socket));
    this.#count++;
    socket.once('close', () => this.#release(from, socket));
    return true;
  }

  #largest(): readonly [address: string, sockets: ReadonlySet<Socket>] {
    let largest: readonly [string, ReadonlySet<Socket>] = ['', new Set<Socket>()];
    for (const entry of this.#byAddress) if (entry[1].size > largest[1].size) largest = entry;
    return largest;
  }

  #release(from: string, socket: Socket): void {
    const sockets = this.#byAddress.get(from);
    if (sockets?.delete(socket) !== true) return;
    this.#count--;
    if (sockets.size === 0) this.#byAddress.delete(from);
  }
}
