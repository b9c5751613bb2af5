import type { Address } from '../wire/address.ts';
import { compareRecords, type NodeId, type NodeRecord } from '../wire/record.ts';

/** Time for a node to say that what others say of it is not so. News of it go round in about a second. */
const CLAIM_MS = 2500;
const CLAIMS_LIMIT = 1024;
const BELIEVED_LIMIT = 4096;

export interface Claim {
  readonly record: NodeRecord;
  /** Who said so first. */
  readonly teller: Address;
  readonly until: number;
}

/**
 * What others say of a member that would end or move it: that it is gone, has begun another life, lives elsewhere. It
 * is asked itself; only when neither it nor anybody else says otherwise in time is the claim believed. So words alone
 * take nobody out of the table.
 */
export class Claims {
  readonly #claims = new Map<NodeId, Claim>();
  /** Nodes of which a claim was believed: their own word is worth more, whatever versions say. */
  readonly #believed = new Set<NodeId>();

  /** @returns false when the same, or more, is claimed already */
  raise(record: NodeRecord, teller: Address, now: number): boolean {
    const before = this.#claims.get(record.node);
    if (before !== undefined && compareRecords(record, before.record) <= 0) return false;
    if (before === undefined && this.#claims.size >= CLAIMS_LIMIT) return false;
    this.#claims.set(record.node, { record, teller, until: before?.until ?? now + CLAIM_MS });
    return true;
  }

  /** The node has spoken for itself. */
  drop(node: NodeId): void {
    this.#claims.delete(node);
  }

  /** Something newer than the claim is known. */
  refute(record: NodeRecord): void {
    const claim = this.#claims.get(record.node);
    if (claim !== undefined && compareRecords(record, claim.record) >= 0) this.#claims.delete(record.node);
  }

  of(node: NodeId): NodeRecord | undefined {
    return this.#claims.get(node)?.record;
  }

  /** Those that nobody has contradicted; each is given once. */
  undisputed(now: number): Claim[] {
    const claims: Claim[] = [];
    for (const [node, claim] of this.#claims) {
      if (now < claim.until) continue;
      this.#claims.delete(node);
      this.#believed.delete(node);
      this.#believed.add(node);
      claims.push(claim);
    }
    for (const oldest of this.#believed) {
      if (this.#believed.size <= BELIEVED_LIMIT) break;
      this.#believed.delete(oldest);
    }
    return claims;
  }

  /** Whether what is known of a node is only what others said; asked once, when it speaks for itself. */
  wasBelieved(node: NodeId): boolean {
    return this.#believed.delete(node);
  }

  nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { until } of this.#claims.values()) next = Math.min(next, until);
    return next;
  }
}
