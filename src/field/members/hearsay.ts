import { type Address, hostOf } from '../wire/address.ts';
import type { NodeId } from '../wire/record.ts';

/** Nodes of one host that a table has room for. */
const NODES_OF_HOST = 512;

/**
 * Who told of which nodes that have not spoken for themselves yet. Anybody can make up thousands: when the table is
 * full, the one who told of most makes room for the others.
 */
export class Hearsay {
  readonly #tellers = new Map<NodeId, string>();
  readonly #told = new Map<string, Set<NodeId>>();
  readonly #hosts = new Map<string, number>();

  hasRoomFor(address: Address): boolean {
    return (this.#hosts.get(hostOf(address)) ?? 0) < NODES_OF_HOST;
  }

  /** A node is new in the table. @param teller undefined: it said so itself */
  appeared(node: NodeId, address: Address, teller: Address | undefined): void {
    this.#count(address, 1);
    if (teller === undefined) return;
    const host = hostOf(teller);
    this.#tellers.set(node, host);
    const told = this.#told.get(host);
    if (told === undefined) this.#told.set(host, new Set([node]));
    else told.add(node);
  }

  /** It has spoken for itself. */
  confirmed(node: NodeId): void {
    const host = this.#tellers.get(node);
    if (host === undefined) return;
    this.#tellers.delete(node);
    const told = this.#told.get(host);
    told?.delete(node);
    if (told?.size === 0) this.#told.delete(host);
  }

  gone(node: NodeId, address: Address): void {
    this.#count(address, -1);
    this.confirmed(node);
  }

  /** Whom to forget for a node that `teller` tells of; undefined: that one has told of most itself. */
  victim(teller: Address, isEligible: (node: NodeId) => boolean): NodeId | undefined {
    const own = this.#told.get(hostOf(teller))?.size ?? 0;
    const byCount = [...this.#told.values()].sort((a, b) => b.size - a.size);
    for (const told of byCount) {
      if (told.size <= own + 1) return undefined;
      for (const node of told) if (isEligible(node)) return node;
    }
    return undefined;
  }

  #count(address: Address, change: 1 | -1): void {
    const host = hostOf(address);
    const count = (this.#hosts.get(host) ?? 0) + change;
    if (count > 0) this.#hosts.set(host, count);
    else this.#hosts.delete(host);
  }
}
