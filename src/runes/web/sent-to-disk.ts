/** From one network entry to the next, which waits two minutes for IPv6 in between. */
const REMEMBERED_MS = 240_000;
const MOST_REMEMBERED = 1024;

/**
 * Machines whose person chose the machine's own disk. Pure. A UEFI firmware that is told to go on with its next boot
 * entry often has another for the network there (HTTP, IPv6, another card), and comes again: it is sent on each time,
 * unless somebody presses a key.
 */
export class SentToDisk {
  readonly #untilMs = new Map<string, number>();

  /** @param address of the machine */
  send(address: string, nowMs: number): void {
    this.#untilMs.delete(address); // to the end: the first one in the map was sent longest ago
    this.#untilMs.set(address, nowMs + REMEMBERED_MS);
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size > MOST_REMEMBERED && oldest !== undefined) this.#untilMs.delete(oldest);
  }

  isSent(address: string, nowMs: number): boolean {
    return nowMs < (this.#untilMs.get(address) ?? Number.NEGATIVE_INFINITY);
  }
}
