import type { FieldNode } from './node.ts';
import type { OriginStatus } from './origin/origins.ts';
import { formatNode } from './wire/record.ts';

/** What `viver field status --json` prints. Bytes; `held` and `chunks` are counts, `rttMs` is null until measured. */
export interface FieldStatus {
  readonly image: { readonly id: string; readonly name: string; readonly size: number; readonly chunks: number };
  readonly node: { readonly id: string; readonly address: string; readonly held: number };
  readonly peers: readonly {
    readonly id: string;
    readonly address: string;
    readonly held: number;
    readonly rttMs: number | null;
    /** Bytes of chunks that came from there, went there, and were false. */
    readonly traffic: { readonly from: number; readonly to: number; readonly rejected: number };
  }[];
  /** How many nodes hold a chunk, this one counted: the least and the mean over all chunks. */
  readonly redundancy: { readonly min: number; readonly mean: number };
  readonly traffic: {
    readonly fromPeers: number;
    readonly fromMedium: number;
    readonly fromOrigin: number;
    readonly toPeers: number;
    readonly rejected: number;
  };
  /**
   * What waits for the disk of a store, whether that is too slow for what comes, and how many chunks were not kept because
   * of that; null: there is no store.
   */
  readonly store: {
    readonly waitingBytes: number;
    readonly waitingChunks: number;
    readonly isBehind: boolean;
    readonly passedOver: number;
  } | null;
  /** Web servers with the image, and how each does: bytes that came from it, bytes per second while it was busy. */
  readonly origins: readonly OriginStatus[];
  /** Peers that gave false chunks or promises, and are shut out. */
  readonly shutOut: readonly { readonly id: string; readonly reason: string }[];
  /** Bytes per second that this node sends and fetches at most; null: no limit. */
  readonly limits: { readonly up: number | null; readonly down: number | null };
  /** ADDRESS or ADDRESS/LENGTH: whom a person has this node refuse. */
  readonly refused: readonly string[];
}

export function fieldStatus(field: FieldNode, image: { id: string; name: string }): FieldStatus {
  const { gossip, data, banned, limits } = field.machine;
  const chunks = data?.lengths.count ?? 0;
  const peers = gossip.table
    .rows()
    .filter(({ node }) => node !== field.node)
    .map(({ node, address, summary }) => {
      const rtt = gossip.rtt(node);
      const rttMs = rtt === undefined ? null : Math.round(rtt * 100) / 100;
      return { id: formatNode(node), address, held: summary.count, rttMs, traffic: field.trafficWith(node) };
    });
  return {
    image: { ...image, size: data?.lengths.size ?? 0, chunks },
    node: { id: formatNode(field.node), address: field.address, held: data?.held.count ?? 0 },
    peers,
    redundancy: data?.keeper.redundancy() ?? { min: 0, mean: 0 },
    traffic: { ...field.traffic, fromMedium: field.bytesFromMedium },
    store: storeStatus(field),
    origins: field.origins,
    shutOut: [...banned].map(([node, reason]) => ({ id: formatNode(node), reason })),
    limits: { up: limits.upBytesPerSecond ?? null, down: limits.downBytesPerSecond ?? null },
    refused: field.refusals.prefixes,
  };
}

function storeStatus({ storeWaiting, machine }: FieldNode): FieldStatus['store'] {
  if (storeWaiting === null) return null;
  const { isBehind = false, passedOver = 0 } = machine.data?.keep ?? {};
  return { waitingBytes: storeWaiting.bytes, waitingChunks: storeWaiting.chunks, isBehind, passedOver };
}
