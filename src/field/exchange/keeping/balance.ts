import type { ChunkSet } from '../../wire/chunk-set.ts';
import { mix, type NodeId } from '../../wire/record.ts';
import { type CopiesOf, enoughFor } from './keep-policy.ts';

/** Chunks taken over at a time, at least (several nodes may have the same thought) and at most. */
const SWAPS_LEAST = 4;
const SWAPS_MOST = 256;
/** Chunks looked at. */
const LOOKED_AT = 1 << 16;

/**
 * Which chunks a node whose budget is used up should fetch in idle time, because the field holds them less often than
 * others that it has: those it will drop for them. All nodes do this at once and from old knowledge, so each takes only
 * its share, at random.
 * @param copies how often the others hold each chunk
 * @param counted chunks held that count against the budget
 * @param members nodes in the field
 */
export function planSwaps(
  held: ChunkSet,
  counted: Iterable<number>,
  copies: CopiesOf,
  members: number,
  random: () => number,
): number[] {
  let most = 0;
  for (const chunk of counted) most = Math.max(most, copies(chunk));
  let fewest = Number.POSITIVE_INFINITY;
  let found: number[] = [];
  // Of very many chunks a part is looked at, another one each time.
  const first = held.size > LOOKED_AT ? Math.floor(random() * (held.size - LOOKED_AT)) : 0;
  const end = first + LOOKED_AT;
  for (let chunk = held.nextMissing(first); chunk >= 0 && chunk < end; chunk = held.nextMissing(chunk + 1)) {
    const count = copies(chunk);
    if (count > fewest || most < enoughFor(count)) continue;
    if (count < fewest) found = [];
    fewest = count;
    found.push(chunk);
  }
  const share = Math.min(SWAPS_MOST, Math.max(SWAPS_LEAST, Math.ceil(found.length / Math.max(1, members - 1))));
  for (let i = 0; i < Math.min(share, found.length); i++) {
    const j = i + Math.floor(random() * (found.length - i));
    [found[i], found[j]] = [found[j] as number, found[i] as number];
  }
  return found.slice(0, share).sort((a, b) => a - b);
}

/**
 * Of the holders of a chunk each has its rank, the same for everybody who looks. Who holds it highest keeps it, so that
 * two who know of each other do not both drop it at the same time.
 */
export function rankOf(node: NodeId, chunk: number): number {
  return mix(mix(((node % 2 ** 32) >>> 0) ^ Math.floor(node / 2 ** 32)) ^ Math.imul(chunk + 1, 0x9e3779b1));
}
