import type { ChunkRange } from '../wire/chunk-set.ts';
import { type Datagram, HEADER_SIZE, type Sections } from '../wire/datagram.ts';
import { DATAGRAM_TARGET } from '../wire/protocol.ts';
import { type NodeId, type NodeRecord, recordCodec } from '../wire/record.ts';
import { compareTables, differingScope, hashesOf } from './reconcile.ts';
import { BUCKETS, type VTable } from './v-table.ts';

/** Bytes of records in a datagram. */
export const RECORD_BYTES = DATAGRAM_TARGET - HEADER_SIZE - 16;
/** Datagrams of one answer to a proven address. */
const BURST = 8;
/** Rows asked for at a time, and holders told of. */
const WANTS = 128;
const HOLDERS = 32;
/** Of the chunks looked for, so many runs are looked up. */
const RANGES_LOOKED_AT = 8;

/**
 * What goes back, a Notify Up each, for what a datagram tells of another's table: what the other lacks, a question for
 * what it has that is not here, and who holds the chunks that it looks for.
 * @param chunks in the image; 0 when that is not known yet
 * @param random of the buckets that differ not all may fit: it begins with another one each time
 */
export function exchange(
  table: VTable,
  { buckets, wants, scope, hashes, ranges }: Datagram,
  chunks: number,
  random: () => number,
): Sections[] {
  const answers: Sections[] = [];
  if (buckets !== undefined) {
    const differing = differingScope(table, buckets, Math.floor(random() * BUCKETS));
    answers.push({ scope: differing, hashes: hashesOf(table, differing) });
  }
  const send: NodeRecord[] = [];
  for (const node of wants ?? []) {
    const record = table.get(node) ?? table.tombstone(node);
    if (record !== undefined) send.push(record);
  }
  let want: NodeId[] = [];
  if (scope !== undefined && hashes !== undefined) {
    const difference = compareTables(table, scope, hashes);
    send.push(...difference.send);
    want = difference.want;
  }
  answers.push(...inDatagrams(send, want.slice(0, WANTS)));
  if (ranges !== undefined) answers.push(...inDatagrams(holdersOf(table, ranges, chunks), []));
  return answers;
}

/** Who may have some of these chunks, as far as we know. */
function holdersOf(table: VTable, ranges: readonly ChunkRange[], chunks: number): NodeRecord[] {
  const holders = new Set<NodeRecord>();
  for (const { start } of ranges.slice(0, RANGES_LOOKED_AT)) {
    if (start >= chunks) break;
    for (const record of table.likelyHolders(start, chunks)) {
      if (holders.size >= HOLDERS) return [...holders];
      holders.add(record);
    }
  }
  return [...holders];
}

/** As many datagrams as it takes, up to a burst. What does not fit comes up again with the next question. */
function inDatagrams(records: readonly NodeRecord[], wants: readonly NodeId[]): Sections[] {
  const datagrams: Sections[] = [];
  let sections: Sections = wants.length > 0 ? { wants } : {};
  let batch: NodeRecord[] = [];
  let left = RECORD_BYTES - wants.length * 6;
  const flush = (): void => {
    if (batch.length > 0) sections.records = batch;
    if (sections.records !== undefined || sections.wants !== undefined) datagrams.push(sections);
    sections = {};
    batch = [];
    left = RECORD_BYTES;
  };
  for (const record of records) {
    const size = recordCodec.sizeOf(record);
    if (size > left && (batch.length > 0 || sections.wants !== undefined)) flush();
    if (datagrams.length >= BURST) return datagrams;
    batch.push(record);
    left -= size;
  }
  flush();
  return datagrams;
}
