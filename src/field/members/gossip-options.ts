import type { Address } from '../wire/address.ts';
import type { NodeId, NodeRecord } from '../wire/record.ts';

export interface GossipOptions {
  /** First 8 bytes of the image id as hex. */
  readonly field: string;
  readonly node: NodeId;
  /** Wall clock in ms at which the node started. */
  readonly life: number;
  /** Where this node listens; 0.0.0.0 until somebody tells it how it is seen. */
  readonly address: Address;
  /** Named peers: asked to let us in for as long as they are not in the table. */
  readonly peers: readonly Address[];
  readonly multicast: boolean;
  /** Which room this node was told that it is in; 0, and undefined: it was not. */
  readonly room?: number;
  /** Whether a host is on a wire of this machine. */
  readonly isLocal?: (host: string) => boolean;
  readonly random: () => number;
  /** Makes the cookie of an address: only who receives there can know it. */
  readonly cookie: (address: Address) => Uint8Array;
  /** A host that a person wants nothing to do with: it is sent nothing, and what comes from it is not heard. */
  readonly isRefused?: (host: string) => boolean;
}

/** A node has said goodbye, gave no answer, or is gone as others tell. */
export type Departure = 'left' | 'is lost' | 'is gone';

/** What the rest of the node tells gossip, and hears from it. */
export interface GossipLinks {
  /** Whether something came from a node over a connection within the last few seconds: it is alive then. */
  readonly isHeard: (node: NodeId, now: number) => boolean;
  readonly onUp: (record: NodeRecord) => void;
  readonly onDown: (record: NodeRecord, how: Departure) => void;
}
