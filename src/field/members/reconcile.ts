import { type RowHash, SCOPE_SIZE } from '../wire/datagram.ts';
import type { NodeId, NodeRecord } from '../wire/record.ts';
import { BUCKETS, bucketOf, type VTable } from './v-table.ts';

/** Rows that one datagram can name. */
export const SUMMARY_ROWS = 80;

/** Names every bucket. */
export function wholeScope(): Uint8Array {
  return new Uint8Array(SCOPE_SIZE).fill(255);
}

function inScope(scope: Uint8Array, bucket: number): boolean {
  return ((scope[bucket >>> 3] as number) & (1 << (bucket & 7))) !== 0;
}

/** Buckets in which two tables differ, as many as one datagram can name the rows of, beginning at bucket `first`. */
export function differingScope(table: VTable, theirs: Uint32Array, first: number): Uint8Array {
  const scope = new Uint8Array(SCOPE_SIZE);
  const counts = new Uint16Array(BUCKETS);
  for (const { node } of table.rows()) counts[bucketOf(node)] = (counts[bucketOf(node)] as number) + 1;
  let rows = 0;
  for (let i = 0; i < BUCKETS; i++) {
    const bucket = (first + i) % BUCKETS;
    if (theirs[bucket] === table.buckets[bucket]) continue;
    if (rows > 0 && rows + (counts[bucket] as number) > SUMMARY_ROWS) break;
    rows += counts[bucket] as number;
    scope[bucket >>> 3] = (scope[bucket >>> 3] as number) | (1 << (bucket & 7));
  }
  return scope;
}

/** Every row of the scope by name and content. */
export function hashesOf(table: VTable, scope: Uint8Array): RowHash[] {
  const hashes: RowHash[] = [];
  for (const { node, hash } of table.rows()) if (inScope(scope, bucketOf(node))) hashes.push({ node, hash });
  return hashes;
}

/** What two tables must exchange to be alike in a scope, seen from one side. */
export interface Difference {
  /** What the other side lacks or has differently. */
  readonly send: NodeRecord[];
  /** What it has and we lack or have differently: which of two is newer only both together show. */
  readonly want: NodeId[];
}

export function compareTables(table: VTable, scope: Uint8Array, theirs: readonly RowHash[]): Difference {
  const send: NodeRecord[] = [];
  const want: NodeId[] = [];
  const unseen = new Map<NodeId, number>(theirs.map(({ node, hash }) => [node, hash]));
  for (const record of table.rows()) {
    if (!inScope(scope, bucketOf(record.node))) continue;
    const their = unseen.get(record.node);
    unseen.delete(record.node);
    if (their === record.hash) continue;
    send.push(record);
    if (their !== undefined) want.push(record.node);
  }
  for (const node of unseen.keys()) {
    // What they still list and we know to be gone, they should know too.
    const grave = table.tombstone(node);
    if (grave !== undefined) send.push(grave);
    want.push(node);
  }
  return { send, want };
}
