import { type NodeId, type NodeRecord, recordCodec } from '../wire/record.ts';

/**
 * Who came and went is told soon; what is held changes with every chunk in a crowd, and is told faster over the
 * connections anyway. Together with the size of a datagram this bounds what gossip can cost.
 */
const URGENT_MS = 250;
const CALM_MS = 1000;

/** What is not told by then the tables' comparison brings. */
const RUMOURS_LIMIT = 2048;

interface Rumour {
  readonly record: NodeRecord;
  told: number;
}

/** News of the table that are passed on, each until it has been told about as often as it takes to reach everybody. */
export class Rumours {
  readonly #rumours = new Map<NodeId, Rumour>();
  #nextAt = Number.POSITIVE_INFINITY;

  /** When something is to be told at the latest; Infinity when there is nothing. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /** A newer record of the same node takes the place of the older. */
  add(record: NodeRecord, isUrgent: boolean, now: number): void {
    this.#rumours.delete(record.node);
    this.#rumours.set(record.node, { record, told: 0 });
    if (this.#rumours.size > RUMOURS_LIMIT) {
      for (const oldest of this.#rumours.keys()) {
        this.#rumours.delete(oldest);
        break;
      }
    }
    this.#nextAt = Math.min(this.#nextAt, now + (isUrgent ? URGENT_MS : CALM_MS));
  }

  /**
   * The least told rumours that fit, to be told to `listeners` nodes.
   * @param bytes that they may take
   * @param members nodes in the table: rumours spread like an epidemic, in a time of its logarithm
   */
  take(bytes: number, listeners: number, members: number, now: number): NodeRecord[] {
    const enough = Math.ceil(Math.log2(members + 2)) + 1;
    const records: NodeRecord[] = [];
    let left = bytes;
    let isMore = false;
    for (const [key, rumour] of [...this.#rumours].sort((a, b) => a[1].told - b[1].told)) {
      const size = recordCodec.sizeOf(rumour.record);
      if (size > left && records.length > 0) {
        isMore = true;
        break;
      }
      left -= size;
      records.push(rumour.record);
      rumour.told += listeners;
      if (rumour.told >= enough) this.#rumours.delete(key);
    }
    if (this.#rumours.size === 0) this.#nextAt = Number.POSITIVE_INFINITY;
    else this.#nextAt = now + (isMore ? URGENT_MS : CALM_MS);
    return records;
  }

  /** Nobody is there to be told: later. */
  postpone(now: number): void {
    if (this.#rumours.size > 0) this.#nextAt = now + CALM_MS;
  }
}
