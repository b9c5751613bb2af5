/** Who answers for so many addresses has none of them: a router that answers for all (RFC 1027), or a forger. */
const ADDRESSES_OF_NOBODY = 4;
/** Two machines hardly choose the same address twice; so often this one gives way, and then it stays. */
const GIVEN_UP_MOST = 3;
/** MACs that are remembered. */
const REMEMBERED = 256;

/** Who has answered for an address that this machine wanted, over all of its attempts. */
export class Holders {
  readonly #addresses = new Map<string, Set<string>>();
  #givenUp = 0;

  /** @returns whether it is to be believed that it has the address */
  note(holder: string, address: string): boolean {
    if (holder === 'unknown') return true;
    const known = this.#addresses.get(holder) ?? new Set();
    if (known.size < ADDRESSES_OF_NOBODY) known.add(address);
    if (this.#addresses.size < REMEMBERED) this.#addresses.set(holder, known);
    return known.size < ADDRESSES_OF_NOBODY;
  }

  /** Whether this machine gives its address up for that one; if so, that counts. */
  giveUp(mac: string, holder: string, address: string): boolean {
    if (!this.note(holder, address) || !givesWay(mac, holder) || this.#givenUp >= GIVEN_UP_MOST) return false;
    this.#givenUp++;
    return true;
  }
}

/**
 * Whether this machine gives up an address that another one has taken in the same moment. Both find out, and one of them
 * must stay: the one with the lower MAC does. Pure.
 */
function givesWay(mac: string, holder: string): boolean {
  return holder !== 'unknown' && holder < mac.toLowerCase();
}
