import type { Address } from '../wire/address.ts';
import type { NodeId } from '../wire/record.ts';

const CONTESTED_LIMIT = 256;

/** Which node is where: of two that are said to be at one address, the one that answers there is. */
export class Namesakes {
  readonly #byAddress = new Map<Address, NodeId>();
  readonly #contested = new Map<Address, Set<NodeId>>();

  isKnown(address: Address): boolean {
    return this.#byAddress.has(address);
  }

  /** @returns true when another node is said to be at this address too: who answers there is to be found out */
  appeared(node: NodeId, address: Address): boolean {
    const other = this.#byAddress.get(address);
    this.#byAddress.set(address, node);
    if (other === undefined || other === node) return false;
    const contested = this.#contested.get(address) ?? new Set<NodeId>();
    if (contested.size >= CONTESTED_LIMIT || this.#contested.size >= CONTESTED_LIMIT) return false;
    this.#contested.set(address, contested.add(other).add(node));
    return true;
  }

  gone(node: NodeId, address: Address): void {
    if (this.#byAddress.get(address) === node) this.#byAddress.delete(address);
    const contested = this.#contested.get(address);
    contested?.delete(node);
    if (contested?.size === 0) this.#contested.delete(address);
  }

  /** Somebody has answered at an address: the others that are said to be there are not. */
  answered(address: Address, by: NodeId): NodeId[] {
    const contested = this.#contested.get(address);
    if (contested === undefined) return [];
    this.#contested.delete(address);
    this.#byAddress.set(address, by);
    contested.delete(by);
    return [...contested];
  }
}
