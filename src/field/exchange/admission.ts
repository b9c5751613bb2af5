import type { ConnectionId } from '../event.ts';
import type { Address } from '../wire/address.ts';
import type { NodeId } from '../wire/record.ts';

/** Who came over a connection to fetch from us. */
export interface Guest {
  readonly node: NodeId;
  readonly address: Address;
}

/** Nodes that may fetch from one node at a time; others are told of these. */
const GUESTS_LIMIT = 64;
/** So many are named to one for whom there is no room. */
const NAMED = 16;

export type Verdict =
  | { readonly kind: 'in' }
  | { readonly kind: 'shut out' }
  | { readonly kind: 'no room'; readonly others: readonly Guest[] };

/** Who is let in to fetch, and who is shut out for what it did. */
export class Admission {
  readonly #guests = new Map<ConnectionId, Guest>();
  /** Liars: what they did. Nothing is taken from them any more, and nothing given to them. */
  readonly #banned = new Map<NodeId, string>();

  get banned(): ReadonlyMap<NodeId, string> {
    return this.#banned;
  }

  get guests(): ReadonlyMap<ConnectionId, Guest> {
    return this.#guests;
  }

  isBanned(node: NodeId): boolean {
    return this.#banned.has(node);
  }

  /** @returns false when it is banned already */
  ban(node: NodeId, why: string): boolean {
    if (this.#banned.has(node)) return false;
    this.#banned.set(node, why);
    return true;
  }

  admit(conn: ConnectionId, guest: Guest): Verdict {
    if (this.#banned.has(guest.node)) return { kind: 'shut out' };
    if (this.#guests.size >= GUESTS_LIMIT) {
      return { kind: 'no room', others: [...this.#guests.values()].slice(0, NAMED) };
    }
    this.#guests.set(conn, guest);
    return { kind: 'in' };
  }

  closed(conn: ConnectionId): void {
    this.#guests.delete(conn);
  }

  /** The connections over which these came. */
  connectionsOf(nodes: ReadonlySet<NodeId>): ConnectionId[] {
    return [...this.#guests].filter(([, { node }]) => nodes.has(node)).map(([conn]) => conn);
  }
}
