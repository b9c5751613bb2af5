import type { Address } from '../../wire/address.ts';
import type { NodeId } from '../../wire/record.ts';

/** A first fault costs so long, each further one twice as much as the one before it. */
export const FAULT_MS = 30_000;
/** A lie is no accident. */
export const LIE_MS = 600_000;
const MOST_MS = 3_600_000;
/** Who behaved for so long after its time was over begins anew. */
const FORGIVEN_MS = 3_600_000;
const REMEMBERED = 1024;

export interface Penalty {
  readonly node: NodeId;
  readonly why: string;
  readonly until: number;
  readonly times: number;
}

/**
 * Addresses that are shut out for what came from there, for a time that grows and ends. It goes by the address that was
 * dialled, or that a connection came from, never by the name that somebody claims: a name can be anybody's.
 */
export class Penalties {
  /** The one whose last fault is the oldest comes first. */
  readonly #byAddress = new Map<Address, Penalty>();

  /** @returns how long the address is shut out, in ms */
  punish(address: Address, node: NodeId, why: string, firstMs: number, now: number): number {
    const before = this.#byAddress.get(address);
    const times = before === undefined || now > before.until + FORGIVEN_MS ? 1 : before.times + 1;
    const time = Math.min(firstMs * 2 ** (times - 1), MOST_MS);
    this.#byAddress.delete(address);
    this.#byAddress.set(address, { node, why, until: now + time, times });
    if (this.#byAddress.size > REMEMBERED) {
      for (const oldest of this.#byAddress.keys()) {
        this.#byAddress.delete(oldest);
        break;
      }
    }
    return time;
  }

  isOut(address: Address, now: number): boolean {
    const penalty = this.#byAddress.get(address);
    return penalty !== undefined && now < penalty.until;
  }

  /** Those that are shut out now. */
  *current(now: number): Generator<Penalty> {
    for (const penalty of this.#byAddress.values()) if (now < penalty.until) yield penalty;
  }
}
