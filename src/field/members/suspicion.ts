import type { Action } from '../event.ts';
import type { Address } from '../wire/address.ts';
import { type Datagram, DOWN_LOST, type Sections } from '../wire/datagram.ts';
import type { Kind } from '../wire/protocol.ts';
import { compareRecords, type NodeId, type NodeRecord } from '../wire/record.ts';
import type { Liveness } from './liveness.ts';
import type { Members } from './members.ts';
import type { OwnRecord } from './own-record.ts';
import type { VTable } from './v-table.ts';

/** Whoever says so, nobody is told more often than this that he is suspected. */
const ACCUSE_MS = 1000;
const ACCUSED_LIMIT = 1024;
/** Members that pass on to a suspect what is thought of it. */
const MESSENGERS = 3;

export interface SuspicionLinks {
  readonly table: VTable;
  readonly own: OwnRecord;
  readonly members: Members;
  readonly liveness: Liveness;
  /** Whether something came from a node over a connection within the last few seconds: it is alive then. */
  readonly isHeard: (node: NodeId, now: number) => boolean;
  readonly probe: (record: NodeRecord, now: number, out: Action[]) => void;
  readonly send: (kind: Kind, to: Address, sections: Sections, out: Action[]) => void;
}

/** From a node's silence to its being taken for lost, with every chance for it to say that it lives. */
export class Suspicion {
  readonly #links: SuspicionLinks;
  readonly #accusedAt = new Map<NodeId, number>();

  constructor(links: SuspicionLinks) {
    this.#links = links;
  }

  /**
   * Nobody answered: asked again, then suspected, and told so, in case it can still speak; by others too, for it may be
   * the way between the two of us that is broken.
   */
  hearSilence(now: number, out: Action[]): void {
    const { table, own, members, liveness, isHeard, probe, send } = this.#links;
    for (const node of liveness.silent(now)) {
      const record = table.get(node);
      if (record === undefined || liveness.isSuspect(node) || isHeard(node, now)) continue;
      if (!liveness.suspect(record, now)) {
        probe(record, now, out);
        continue;
      }
      this.#accuse(record, out);
      const sections = { records: [own.record()], down: { node, reason: DOWN_LOST } };
      const messengers = members.pick(MESSENGERS + 1).filter((peer) => peer.node !== node);
      for (const { address } of messengers.slice(0, MESSENGERS)) send('notify down', address, sections, out);
    }
  }

  /** Passes on what somebody thinks of a third: without a tombstone it is no news but a suspicion. */
  passOn({ down, records }: Datagram, now: number, out: Action[]): void {
    const { table, own } = this.#links;
    if (down === undefined || down.reason !== DOWN_LOST || down.node === own.node) return;
    const record = table.get(down.node);
    if (record === undefined || records?.some(({ node }) => node === down.node)) return;
    const last = this.#accusedAt.get(record.node);
    if (last !== undefined && now - last < ACCUSE_MS) return;
    if (this.#accusedAt.size >= ACCUSED_LIMIT) this.#accusedAt.clear();
    this.#accusedAt.set(record.node, now);
    this.#accuse(record, out);
  }

  /** Those that had their time and said nothing. */
  condemned(now: number): NodeRecord[] {
    const { table, liveness, isHeard } = this.#links;
    const records: NodeRecord[] = [];
    for (const suspected of liveness.condemned(now)) {
      const current = table.get(suspected.node);
      if (current === undefined || compareRecords(current, suspected) > 0) continue;
      if (!isHeard(suspected.node, now)) records.push(current);
    }
    return records;
  }

  #accuse(record: NodeRecord, out: Action[]): void {
    const { table, own, send } = this.#links;
    const down = { node: record.node, reason: DOWN_LOST };
    send('notify down', record.address, { records: [table.tombstoneFor(record, own.chunks)], down }, out);
  }
}
