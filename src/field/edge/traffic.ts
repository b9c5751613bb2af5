import type { NodeId } from '../wire/record.ts';

/** Bytes of chunks, and of whatever was refused. */
export interface Traffic {
  fromPeers: number;
  fromMedium: number;
  fromOrigin: number;
  toPeers: number;
  rejected: number;
}

/** Bytes of chunks that went between this node and another one, and of those from there that were false. */
export interface PeerTraffic {
  readonly from: number;
  readonly to: number;
  readonly rejected: number;
}

/** Peers that are counted one by one: the one heard of least lately is forgotten for a new one. */
const PEERS = 1024;

/** What came and went, in all and with each peer. */
export class TrafficCounter {
  readonly total: Traffic = { fromPeers: 0, fromMedium: 0, fromOrigin: 0, toPeers: 0, rejected: 0 };
  readonly #peers = new Map<NodeId, { from: number; to: number; rejected: number }>();

  of(node: NodeId): PeerTraffic {
    return this.#peers.get(node) ?? { from: 0, to: 0, rejected: 0 };
  }

  fromPeer(node: NodeId | undefined, bytes: number, good: boolean): void {
    if (good) this.total.fromPeers += bytes;
    else this.total.rejected += bytes;
    if (node !== undefined) this.#peer(node)[good ? 'from' : 'rejected'] += bytes;
  }

  /** What is no datagram of the field. */
  reject(bytes: number): void {
    this.total.rejected += bytes;
  }

  toPeer(node: NodeId | undefined, bytes: number): void {
    this.total.toPeers += bytes;
    if (node !== undefined) this.#peer(node).to += bytes;
  }

  #peer(node: NodeId): { from: number; to: number; rejected: number } {
    const counted = this.#peers.get(node) ?? { from: 0, to: 0, rejected: 0 };
    this.#peers.delete(node);
    this.#peers.set(node, counted);
    if (this.#peers.size > PEERS) {
      for (const oldest of this.#peers.keys()) {
        this.#peers.delete(oldest);
        break;
      }
    }
    return counted;
  }
}
