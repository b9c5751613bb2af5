import type { Lengths } from '../event.ts';
import type { Rooms } from '../members/rooms.ts';
import type { VTable } from '../members/v-table.ts';
import type { Throttle } from '../shares/throttle.ts';
import { ChunkSet } from '../wire/chunk-set.ts';
import type { NodeId } from '../wire/record.ts';
import { REGIONS_LIMIT, regionRange } from '../wire/regions.ts';
import type { OriginOrders } from './connections/origin-orders.ts';
import type { SpareTimeLinks } from './fetching/advance.ts';
import { Fetcher } from './fetching/fetcher.ts';
import { Imports } from './fetching/imports.ts';
import { ReadQueue } from './fetching/read-queue.ts';
import { Giver } from './giving/giver.ts';
import { Duty, shareOf } from './keeping/duty.ts';
import { KeepPolicy } from './keeping/keep-policy.ts';

/** Bytes that may be read ahead however small the budget. */
const AHEAD_BYTES = 2 << 20;

/** Everything there is once the chunk index is known. */
export interface Stock {
  readonly lengths: Lengths;
  readonly held: ChunkSet;
  /** Of these, what others may count on. */
  readonly announced: ChunkSet;
  readonly reads: ReadQueue;
  readonly keep: KeepPolicy;
  readonly fetcher: Fetcher;
  readonly giver: Giver;
  /** Chunks to fetch for the field's sake, in place of others. */
  readonly swaps: ChunkSet;
  /** What this node keeps for the field of an image that is more than it has room for. */
  readonly duty: Duty | undefined;
  readonly imports: Imports;
}

export interface StockOptions {
  readonly node: NodeId;
  readonly lengths: Lengths;
  /** Chunks held already. `free`: they lie on a local medium and take nothing of the budget. */
  readonly held: Iterable<number>;
  readonly free: boolean;
  /** Bytes of chunks to keep. */
  readonly budget: number;
  readonly random: () => number;
  /** When anything may be fetched that nobody waits for. */
  readonly spareTime: SpareTimeLinks;
  /** What may go to peers, and what may come. */
  readonly up: Throttle;
  readonly down: Throttle;
  /** What comes from origins. */
  readonly origins?: Pick<OriginOrders, 'isComing' | 'bring'>;
  readonly table: VTable;
  readonly rooms: Rooms;
  /** Has a node dialled. */
  readonly want: (node: NodeId) => void;
}

export function makeStock(
  { node, lengths, held: chunks, free, budget, random, spareTime, up, down, origins, table, rooms, want }: StockOptions,
  now: number,
): Stock {
  const held = new ChunkSet(lengths.count);
  const keep = new KeepPolicy(lengths, held, budget);
  const swaps = new ChunkSet(lengths.count);
  for (const chunk of chunks) {
    if (!held.add(chunk)) continue;
    if (free) keep.setFree(chunk);
    keep.added(chunk, now);
  }
  // What is read ahead must find room beside what else is kept.
  const perByte = lengths.count / lengths.size;
  const aheadLimit = (streams: number): number =>
    // What is here for a while only must be read before it goes, or it is fetched again and again.
    keep.isLending ? Math.max(1, (AHEAD_BYTES / streams) * perByte) : Math.max(AHEAD_BYTES, budget / 4) * perByte;
  const reads = new ReadQueue(held, aheadLimit);
  const duty = budget >= lengths.size ? undefined : makeDuty(lengths, node, budget);
  const share = shareOf(budget, lengths.size);
  const imports = new Imports({ node, table, rooms, share, chunks: lengths.count });
  const fetcher = new Fetcher({
    lengths,
    held,
    reads,
    random,
    spareTime,
    hasRoom: (bytes) => keep.hasRoom(bytes),
    swaps,
    duty: duty?.chunks,
    limit: down,
    imports,
    want,
    roundTrip: (other) => rooms.roundTrip(other) ?? 0,
    promised: () => giver.promised(),
  });
  const isFromAfar = (chunk: number): boolean => origins?.isComing(chunk) === true;
  const giver: Giver = new Giver({
    lengths,
    held,
    isComing: (chunk) => fetcher.isOrdered(chunk) || fetcher.willImport(chunk) || isFromAfar(chunk),
    isFromAfar,
    bring: (chunk, now) => origins?.bring(chunk, lengths.count, now) === true,
    limit: up,
    roomOf: (other) => {
      const record = table.get(other);
      return record === undefined ? 0 : rooms.roomOf(record);
    },
  });
  return { lengths, held, announced: held.copy(), reads, keep, fetcher, giver, swaps, duty, imports };
}

/** Of small images, whose regions are single chunks, it is counted how often each is held instead. */
function makeDuty(lengths: Lengths, node: NodeId, budget: number): Duty | undefined {
  if (lengths.count <= REGIONS_LIMIT) return undefined;
  const bytesOf = (region: number): number => {
    const { start, end } = regionRange(region, lengths.count);
    let bytes = 0;
    for (let chunk = start; chunk < end; chunk++) bytes += lengths.length(chunk);
    return bytes;
  };
  return new Duty(lengths.count, node, shareOf(budget, lengths.size), budget, bytesOf);
}
