import { compareRecords, makeRecord, mix, type NodeId, type NodeRecord, STATE_DOWN } from '../wire/record.ts';
import { regionOf } from '../wire/regions.ts';
import { emptySummary, LEVEL, levelOf } from '../wire/summary.ts';

/** Buckets a table is compared by. */
export const BUCKETS = 256;

/** Rows a table takes, in all and in one bucket: what strangers without a key could fill. */
export const ROWS_LIMIT = 1 << 14;
const BUCKET_LIMIT = 512;

export function bucketOf(node: NodeId): number {
  return mix(((node % 2 ** 32) >>> 0) ^ Math.floor(node / 2 ** 32)) & (BUCKETS - 1);
}

/** What merging a record did. */
export type Merge = 'stale' | 'same' | 'news' | 'full';

/**
 * The V-Table: who is there, and roughly who holds what. Rows are immutable records; the table is what is left of any
 * set of them after the younger have superseded the older, in whatever order they came, lost and repeated as often as
 * may be.
 *
 * A gone node leaves a tombstone, so that an old record cannot bring it back. Tombstones are not part of what tables
 * are compared by: they are forgotten at different times.
 */
export class VTable {
  readonly #rows: NodeRecord[] = [];
  /** Where in `#rows` each node is. */
  readonly #at = new Map<NodeId, number>();
  /** Down records, also of nodes that refuted theirs: below its version nothing of that life counts. */
  readonly #graves = new Map<NodeId, NodeRecord>();
  readonly #buckets = new Uint32Array(BUCKETS);
  /** Rows in each. */
  readonly #counts = new Uint16Array(BUCKETS);
  #changes = 0;

  /** Nodes that are not down. */
  get size(): number {
    return this.#rows.length;
  }

  /** Grows with every change: what was derived from the table is good as long as this is the same. */
  get changes(): number {
    return this.#changes;
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

  get(node: NodeId): NodeRecord | undefined {
    const row = this.#at.get(node);
    return row === undefined ? undefined : this.#rows[row];
  }

  /** A record that would take a node down. @param chunks in the image; 0 when that is not known yet */
  tombstoneFor(record: NodeRecord, chunks: number): NodeRecord {
    const summary = emptySummary(record.summary.regions === 0 ? 0 : chunks);
    return makeRecord({ ...record, state: STATE_DOWN, summary });
  }

  /** The record that says a node is down, when it is. */
  tombstone(node: NodeId): NodeRecord | undefined {
    return this.#at.has(node) ? undefined : this.#graves.get(node);
  }

  rows(): readonly NodeRecord[] {
    return this.#rows;
  }

  *tombstones(): Generator<NodeRecord> {
    for (const [node, grave] of this.#graves) if (!this.#at.has(node)) yield grave;
  }

  merge(record: NodeRecord): Merge {
    const { node } = record;
    const grave = this.#graves.get(node);
    if (grave !== undefined) {
      const order = compareRecords(record, grave);
      if (order <= 0) return order === 0 ? 'same' : 'stale';
    }
    const row = this.#at.get(node);
    const known = row === undefined ? undefined : (this.#rows[row] as NodeRecord);
    if (known !== undefined) {
      const order = compareRecords(record, known);
      if (order <= 0) return order === 0 ? 'same' : 'stale';
    }
    if (record.state === STATE_DOWN) {
      this.remove(node);
      this.#graves.set(node, record);
      return 'news';
    }
    if (row === undefined && !this.hasRoomFor(node)) return 'full';
    if (grave !== undefined && grave.life < record.life) this.#graves.delete(node);
    if (row === undefined) this.#insert(record);
    else this.#replace(row, record);
    return 'news';
  }

  hasRoomFor(node: NodeId): boolean {
    return this.#rows.length < ROWS_LIMIT && (this.#counts[bucketOf(node)] as number) < BUCKET_LIMIT;
  }

  /** Takes a node out, without a tombstone. The last row takes its place. */
  remove(node: NodeId): void {
    const row = this.#at.get(node);
    if (row === undefined) return;
    this.#flip(this.#rows[row] as NodeRecord, -1);
    this.#at.delete(node);
    const last = this.#rows.pop() as NodeRecord;
    if (last.node === node) return;
    this.#rows[row] = last;
    this.#at.set(last.node, row);
  }

  forgetTombstone(node: NodeId): void {
    this.#graves.delete(node);
  }

  /** Nodes that may hold a chunk, those that surely do first. @param chunks in the image */
  likelyHolders(chunk: number, chunks: number): NodeRecord[] {
    const region = regionOf(chunk, chunks);
    const byLevel: NodeRecord[][] = [[], [], [], []];
    for (const row of this.#rows) byLevel[levelOf(row.summary, region)]?.push(row);
    return [LEVEL.all, LEVEL.half, LEVEL.some].flatMap((level) => byLevel[level] ?? []);
  }

  #insert(record: NodeRecord): void {
    this.#at.set(record.node, this.#rows.length);
    this.#rows.push(record);
    this.#flip(record, 1);
  }

  #replace(row: number, record: NodeRecord): void {
    this.#flip(this.#rows[row] as NodeRecord, -1);
    this.#rows[row] = record;
    this.#flip(record, 1);
  }

  #flip({ node, hash }: NodeRecord, change: number): void {
    const bucket = bucketOf(node);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) ^ hash;
    this.#counts[bucket] = (this.#counts[bucket] as number) + change;
    this.#changes++;
  }
}
