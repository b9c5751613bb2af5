import type { ChunkRange } from '../wire/chunk-set.ts';
import { emptyHoldings, heldRanges, holds } from '../wire/holdings.ts';
import {
  compareRecords,
  keyOf,
  makeRecord,
  mix,
  type NodeId,
  type NodeRecord,
  partCount,
  STATE_DOWN,
  STATE_LEAVING,
} from '../wire/record.ts';

/** Buckets a table is compared by. A node's records all fall into one. */
export const BUCKETS = 256;

/** Rows a table takes, in all and in one bucket: what strangers without a key could fill. */
export const ROWS_LIMIT = 1 << 15;
const BUCKET_LIMIT = 512;

export function bucketOf(node: NodeId): number {
  return mix(((node % 2 ** 32) >>> 0) ^ Math.floor(node / 2 ** 32)) & (BUCKETS - 1);
}

/** What merging a record did. */
export type Merge = 'stale' | 'same' | 'news' | 'full';

/**
 * The V-Table: who holds which chunks. Rows are immutable records; the table is what is left of any set of them after
 * the younger have superseded the older, in whatever order they came, lost and repeated as often as may be.
 *
 * A gone node leaves a tombstone, so that an old record cannot bring it back. Tombstones are not part of what tables
 * are compared by: they are forgotten at different times.
 */
export class VTable {
  /** Open addressing: row number + 1 by hash of node and part. Half the memory of a Map, for tables of thousands. */
  #slots = new Int32Array(64);
  #rows: NodeRecord[] = [];
  #parts = 1;
  /** Down records, also of nodes that refuted theirs: below its version nothing of that life counts. */
  readonly #graves = new Map<NodeId, NodeRecord>();
  readonly #buckets = new Uint32Array(BUCKETS);
  /** Rows in each. */
  readonly #counts = new Uint16Array(BUCKETS);

  /** Rows of nodes that are not down. */
  get size(): number {
    return this.#rows.length;
  }

  get buckets(): Uint32Array {
    return this.#buckets;
  }

  /** One number for the whole table: equal tables have equal digests. */
  digest(): number {
    let digest = 0;
    for (const bucket of this.#buckets) digest = (digest ^ bucket) >>> 0;
    return digest;
  }

  get(node: NodeId, part = 0): NodeRecord | undefined {
    const row = this.#find(node, part);
    return row < 0 ? undefined : this.#rows[row];
  }

  /**
   * A record that would take down all rows of a node, this one among them.
   * @param chunks in the image, which say how many rows a node has; 0 when that is not known yet
   */
  tombstoneFor(record: NodeRecord, chunks: number): NodeRecord {
    let { version } = record;
    const parts = partCount(Math.max(1, chunks));
    for (let part = 1; part < parts; part++) version = Math.max(version, this.get(record.node, part)?.version ?? 0);
    const holdings = emptyHoldings(0, record.part === 0 ? record.holdings.size : 0);
    return makeRecord({ ...record, version, state: STATE_DOWN, part: 0, holdings });
  }

  /** The record that says a node is down, when it is. */
  tombstone(node: NodeId): NodeRecord | undefined {
    const grave = this.#graves.get(node);
    return grave === undefined || this.#lifeOf(node) >= 0 ? undefined : grave;
  }

  rows(): readonly NodeRecord[] {
    return this.#rows;
  }

  /** The record that stands for each node, that is its part 0. */
  *nodes(): Generator<NodeRecord> {
    for (const row of this.#rows) if (row.part === 0) yield row;
  }

  *tombstones(): Generator<NodeRecord> {
    for (const [node, grave] of this.#graves) if (this.#lifeOf(node) < 0) yield grave;
  }

  merge(record: NodeRecord): Merge {
    const grave = this.#graves.get(record.node);
    if (grave !== undefined && compareRecords(record, grave) <= 0) {
      return compareRecords(record, grave) === 0 ? 'same' : 'stale';
    }
    // Of an older life nothing counts any more, whichever part the younger one was seen in.
    const life = this.#lifeOf(record.node);
    if (life > record.life) return 'stale';
    if (record.state === STATE_DOWN) return this.#bury(record);
    const row = life < record.life ? -1 : this.#find(record.node, record.part);
    if (row >= 0) {
      const order = compareRecords(record, this.#rows[row] as NodeRecord);
      if (order <= 0) return order === 0 ? 'same' : 'stale';
      this.#replace(row, record);
      return 'news';
    }
    if (life < record.life) {
      this.remove(record.node);
      if (grave !== undefined && grave.life < record.life) this.#graves.delete(record.node);
    }
    if (!this.hasRoomFor(record.node)) return 'full';
    this.#insert(record);
    return 'news';
  }

  hasRoomFor(node: NodeId): boolean {
    return this.#rows.length < ROWS_LIMIT && (this.#counts[bucketOf(node)] as number) < BUCKET_LIMIT;
  }

  /** Takes every row of a node out, without a tombstone. */
  remove(node: NodeId): void {
    for (let part = 0; part < this.#parts; part++) {
      const row = this.#find(node, part);
      if (row >= 0) this.#delete(row);
    }
  }

  forgetTombstone(node: NodeId): void {
    this.#graves.delete(node);
  }

  /** Nodes that hold a chunk; `staying`: not those about to leave. */
  *holders(chunk: number, staying = false): Generator<NodeId> {
    for (const row of this.#rows) {
      if (holds(row.holdings, chunk) && !(staying && row.state === STATE_LEAVING)) yield row.node;
    }
  }

  /** How many nodes hold each chunk of an image of `chunks` chunks; `except` and those about to leave not counted. */
  copies(chunks: number, except?: NodeId): Uint16Array {
    const copies = new Uint16Array(chunks);
    // Whole windows are common and dear to count one by one: their ends are marked and summed up afterwards.
    const changes = new Int32Array(chunks + 1);
    for (const row of this.#rows) {
      if (row.node === except || row.state === STATE_LEAVING) continue;
      for (const range of heldRanges(row.holdings)) {
        const { start, end }: ChunkRange = { start: Math.min(range.start, chunks), end: Math.min(range.end, chunks) };
        changes[start] = (changes[start] as number) + 1;
        changes[end] = (changes[end] as number) - 1;
      }
    }
    for (let chunk = 0, sum = 0; chunk < chunks; chunk++) {
      sum += changes[chunk] as number;
      copies[chunk] = Math.min(sum, 65_535);
    }
    return copies;
  }

  /** Chunks a node is known to hold, over all parts. */
  heldBy(node: NodeId): number {
    let count = 0;
    for (let part = 0; part < this.#parts; part++) count += this.get(node, part)?.holdings.count ?? 0;
    return count;
  }

  /** The life its rows are of; -1 when it has none. */
  #lifeOf(node: NodeId): number {
    for (let part = 0; part < this.#parts; part++) {
      const record = this.get(node, part);
      if (record !== undefined) return record.life;
    }
    return -1;
  }

  /** Every part published up to then goes; a part published later survives, and with it the node. */
  #bury(record: NodeRecord): Merge {
    for (let part = 0; part < this.#parts; part++) {
      const row = this.#find(record.node, part);
      if (row >= 0 && compareRecords(record, this.#rows[row] as NodeRecord) > 0) this.#delete(row);
    }
    this.#graves.set(record.node, record);
    return 'news';
  }

  #slotOf(node: NodeId, part: number): number {
    const key = keyOf(node, part);
    return mix(((key % 2 ** 32) >>> 0) ^ Math.imul(Math.floor(key / 2 ** 32), 0x9e3779b1)) & (this.#slots.length - 1);
  }

  #find(node: NodeId, part: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = this.#slotOf(node, part); ; slot = (slot + 1) & mask) {
      const row = (this.#slots[slot] as number) - 1;
      if (row < 0) return -1;
      const record = this.#rows[row] as NodeRecord;
      if (record.node === node && record.part === part) return row;
    }
  }

  #place(row: number): void {
    const record = this.#rows[row] as NodeRecord;
    const mask = this.#slots.length - 1;
    let slot = this.#slotOf(record.node, record.part);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = row + 1;
  }

  #insert(record: NodeRecord): void {
    this.#rows.push(record);
    const bucket = bucketOf(record.node);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#parts = Math.max(this.#parts, record.part + 1);
    this.#flip(record);
    if (this.#rows.length * 4 <= this.#slots.length * 3) this.#place(this.#rows.length - 1);
    else {
      this.#slots = new Int32Array(this.#slots.length * 2);
      for (let row = 0; row < this.#rows.length; row++) this.#place(row);
    }
  }

  #replace(row: number, record: NodeRecord): void {
    this.#flip(this.#rows[row] as NodeRecord);
    this.#rows[row] = record;
    this.#flip(record);
  }

  /** The last row takes the place of the one that goes. */
  #delete(row: number): void {
    const bucket = bucketOf((this.#rows[row] as NodeRecord).node);
    this.#counts[bucket] = (this.#counts[bucket] as number) - 1;
    this.#flip(this.#rows[row] as NodeRecord);
    this.#vacate(row);
    const last = this.#rows.length - 1;
    if (row !== last) {
      this.#vacate(last);
      this.#rows[row] = this.#rows[last] as NodeRecord;
      this.#place(row);
    }
    this.#rows.pop();
  }

  /** Frees the slot of a row; what had been pushed on by it moves back (Knuth 6.4, algorithm R). */
  #vacate(row: number): void {
    const mask = this.#slots.length - 1;
    let hole = this.#home(this.#rows[row] as NodeRecord);
    while (this.#slots[hole] !== row + 1) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#home(this.#rows[(this.#slots[slot] as number) - 1] as NodeRecord);
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      this.#slots[hole] = this.#slots[slot] as number;
      hole = slot;
    }
    this.#slots[hole] = 0;
  }

  #home(record: NodeRecord): number {
    return this.#slotOf(record.node, record.part);
  }

  #flip(record: NodeRecord): void {
    const bucket = bucketOf(record.node);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) ^ record.hash;
  }
}
