import type { ConnectionId } from '../../event.ts';
import type { VTable } from '../../members/v-table.ts';
import { type Address, hostOf } from '../../wire/address.ts';
import type { NodeId } from '../../wire/record.ts';
import type { Admission } from './admission.ts';
import type { Neighbours } from './neighbours.ts';
import { Penalties } from './penalties.ts';

export interface DisciplineLinks {
  readonly table: VTable;
  readonly admission: Admission;
  readonly neighbours: () => Neighbours;
  /** A person does not want anything to do with that host. */
  readonly isRefused: (host: string) => boolean;
}

/** What a fault has cost. */
export interface Sentence {
  /** The address that was dialled, of a source; the host a client came from. */
  readonly address: Address;
  readonly isSource: boolean;
  /** ms */
  readonly time: number;
  readonly isNews: boolean;
}

/** Who is shut out: for faults, for a time, by address; and whom a person refuses. */
export class Discipline {
  readonly #links: DisciplineLinks;
  /** Addresses that gave what they should not, and hosts whose guests did not keep to the protocol. */
  readonly #sources = new Penalties();
  readonly #hosts = new Penalties();

  constructor(links: DisciplineLinks) {
    this.#links = links;
  }

  isOut(address: Address, now: number): boolean {
    return this.#sources.isOut(address, now) || this.#links.isRefused(hostOf(address));
  }

  isNodeOut(node: NodeId, now: number): boolean {
    const address = this.#links.table.get(node)?.address;
    return address !== undefined && this.isOut(address, now);
  }

  /** Guests that came from there have misbehaved of late. */
  isSuspect(address: Address, now: number): boolean {
    return this.#hosts.isOut(hostOf(address), now);
  }

  /** Shuts out whatever is at the other end of a connection; undefined when that is not known. */
  punish(conn: ConnectionId, node: NodeId, why: string, firstMs: number, now: number): Sentence | undefined {
    const { admission, neighbours } = this.#links;
    const guest = admission.guests.get(conn);
    const address = guest === undefined ? neighbours().addressOf(conn) : hostOf(guest.address);
    if (address === undefined) return undefined;
    const isSource = guest === undefined;
    const penalties = isSource ? this.#sources : this.#hosts;
    const isNews = !penalties.isOut(address, now);
    return { address, isSource, time: penalties.punish(address, node, why, firstMs, now), isNews };
  }

  /** Connections with those whom a person refuses by now. */
  refused(): ConnectionId[] {
    const { admission, neighbours, isRefused } = this.#links;
    const dialled = neighbours().all();
    return [...admission.guests, ...dialled.map((dial) => [dial.conn, dial] as const)]
      .filter(([, { address }]) => isRefused(hostOf(address)))
      .map(([conn]) => conn);
  }

  /** Who is shut out now, and for what. */
  current(now: number): ReadonlyMap<NodeId, string> {
    const out = [...this.#sources.current(now), ...this.#hosts.current(now)];
    return new Map(out.map(({ node, why }) => [node, why]));
  }
}
