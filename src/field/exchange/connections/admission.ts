import type { ConnectionId } from '../../event.ts';
import { type Address, hostOf } from '../../wire/address.ts';
import type { NodeId } from '../../wire/record.ts';

/** Who came over a connection to fetch from us. */
export interface Guest {
  readonly node: NodeId;
  /** Where it says that it listens; the host is the one its connection came from. */
  readonly address: Address;
}

/** Nodes that may fetch from one node at a time; others are told of these. */
export const GUESTS_LIMIT = 64;
/** So many are named to one for whom there is no room. */
const NAMED = 16;
/** Guests of a host that has misbehaved: others may live at the same address. */
const SUSPECT_GUESTS = 2;
/** Who has wanted nothing for so long makes room for who comes. */
const IDLE_MS = 1000;

export type Verdict =
  | { readonly kind: 'in'; readonly instead?: ConnectionId }
  | { readonly kind: 'no room'; readonly others: readonly Guest[] };

/** How long a guest has wanted nothing, in ms; 0 while something is on order or on its way. */
export type IdleTime = (conn: ConnectionId) => number;

/** Who is let in to fetch: the idle make room for who comes, and no host takes another's share. */
export class Admission {
  readonly #guests = new Map<ConnectionId, Guest>();
  readonly #since = new Map<ConnectionId, number>();

  get guests(): ReadonlyMap<ConnectionId, Guest> {
    return this.#guests;
  }

  /**
   * @param isSuspect its host has misbehaved of late
   * @param idleTime of guests that have asked for something; Infinity of those that never did
   */
  admit(conn: ConnectionId, guest: Guest, isSuspect: boolean, now: number, idleTime: IdleTime): Verdict {
    let instead: ConnectionId | undefined;
    const host = hostOf(guest.address);
    const own = [...this.#guests].filter(([, other]) => hostOf(other.address) === host);
    if (isSuspect && own.length >= SUSPECT_GUESTS) {
      instead = own.find(([other]) => this.#idle(other, now, idleTime) > IDLE_MS)?.[0];
      if (instead === undefined) return { kind: 'no room', others: [] };
    } else if (this.#guests.size >= GUESTS_LIMIT) {
      instead = this.#leastUseful(host, now, idleTime);
      if (instead === undefined) return { kind: 'no room', others: [...this.#guests.values()].slice(0, NAMED) };
    }
    this.#guests.set(conn, guest);
    this.#since.set(conn, now);
    return instead === undefined ? { kind: 'in' } : { kind: 'in', instead };
  }

  closed(conn: ConnectionId): void {
    this.#guests.delete(conn);
    this.#since.delete(conn);
  }

  /** The connections over which these came. */
  connectionsOf(nodes: ReadonlySet<NodeId>): ConnectionId[] {
    return [...this.#guests].filter(([, { node }]) => nodes.has(node)).map(([conn]) => conn);
  }

  /** Connections of those that say they listen there. */
  connectionsFrom(address: Address): ConnectionId[] {
    return [...this.#guests].filter(([, guest]) => guest.address === address).map(([conn]) => conn);
  }

  #idle(conn: ConnectionId, now: number, idleTime: IdleTime): number {
    return Math.min(idleTime(conn), now - (this.#since.get(conn) ?? now));
  }

  /**
   * Who goes for somebody of another host: the idlest guest of the host that has most of them; when none is idle, one of
   * a host that has at least two more than the newcomer's.
   */
  #leastUseful(newcomer: string, now: number, idleTime: IdleTime): ConnectionId | undefined {
    const counts = new Map<string, number>();
    for (const { address } of this.#guests.values()) {
      const host = hostOf(address);
      counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    let found: { conn: ConnectionId; isIdle: boolean; count: number; idle: number } | undefined;
    for (const [conn, { address }] of this.#guests) {
      const idle = this.#idle(conn, now, idleTime);
      const isIdle = idle > IDLE_MS;
      const count = counts.get(hostOf(address)) ?? 0;
      if (!isIdle && count < (counts.get(newcomer) ?? 0) + 2) continue;
      const isBetter =
        found === undefined ||
        (isIdle !== found.isIdle ? isIdle : count !== found.count ? count > found.count : idle > found.idle);
      if (isBetter) found = { conn, isIdle, count, idle };
    }
    return found?.conn;
  }
}
