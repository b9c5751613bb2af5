import { hash } from 'node:crypto';
import { type Address, hostOf } from '../wire/address.ts';
import type { NodeId, NodeRecord } from '../wire/record.ts';

/** A round trip so long, and so much longer than the shortest one, leads out of the room. */
const FAR_MS = 4;
const FAR_TIMES = 8;

export interface RoomLinks {
  /** The room that this node was told that it is in; 0: it was not. */
  readonly room: number;
  /** Whether a host is on a wire of this machine. */
  readonly isLocal: (host: string) => boolean;
  /** The shortest round trip that was measured to a node, in ms. */
  readonly rtt: (node: NodeId) => number | undefined;
  /** The shortest one to anybody. */
  readonly leastRtt: () => number;
}

/** The number that stands for the name of a room in records: people call theirs what they like. Never 0. */
export function roomNumber(name: string): number {
  return hash('sha256', name, 'buffer').readUInt32BE(0) || 1;
}

/**
 * Who is near: in the room that we were told we are in, else on a wire of ours, else not many times farther away than
 * the nearest one. Who is not known to be far is near.
 */
export class Rooms {
  readonly #links: RoomLinks;

  constructor(links: RoomLinks) {
    this.#links = links;
  }

  isNear({ node, room, address }: Pick<NodeRecord, 'node' | 'room' | 'address'>): boolean {
    const { room: own, isLocal, rtt, leastRtt } = this.#links;
    if (own !== 0 && room !== 0) return room === own;
    if (isLocal(hostOf(address))) return true;
    const known = rtt(node);
    return known === undefined || known < Math.max(FAR_MS, FAR_TIMES * leastRtt());
  }

  /** The shortest round trip that was measured to a node, in ms; undefined before there is one. */
  roundTrip(node: NodeId): number | undefined {
    return this.#links.rtt(node);
  }

  /** A number for the room that a node is in, as far as we can tell: 0 for our own. */
  roomOf(record: Pick<NodeRecord, 'node' | 'room' | 'address'>): number {
    if (this.isNear(record)) return 0;
    return record.room === 0 ? subnetOf(record.address) : record.room;
  }
}

/** Who is far and in one /24 is taken for together. */
function subnetOf(address: Address): number {
  const host = hostOf(address);
  return roomNumber(host.includes(':') ? host.split(':').slice(0, 4).join(':') : host.slice(0, host.lastIndexOf('.')));
}
