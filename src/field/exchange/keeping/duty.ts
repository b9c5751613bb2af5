import type { VTable } from '../../members/v-table.ts';
import { ChunkSet } from '../../wire/chunk-set.ts';
import { mix, type NodeId, type NodeRecord, STATE_LEAVING } from '../../wire/record.ts';
import { regionCount, regionOf, regionRange } from '../../wire/regions.ts';

/** Members taken into account or out of it at a time. */
const CHANGES_AT_ONCE = 64;
/** Of the budget, what duties may take: the rest is for what this machine reads. */
const SHARE = 0.9;
const SHARES = 255;

/**
 * How much a region is a node's own: rendezvous hashing (Thaler and Ravishankar), weighted by what each keeps. Everybody
 * who has the same table sees the same order.
 */
export function scoreOf(node: NodeId, region: number, share: number): number {
  if (share === 0) return 0;
  const hash = mix(mix(((node % 2 ** 32) >>> 0) ^ Math.floor(node / 2 ** 32)) ^ Math.imul(region + 1, 0x9e3779b1));
  return share / -Math.log((hash + 1) / (2 ** 32 + 1));
}

/** Who holds all, on a medium maybe, keeps it as well as anybody. */
function weightOf({ summary }: NodeRecord, chunks: number): number {
  return summary.count === chunks ? SHARES : summary.share;
}

/** How much a node says that it keeps of an image. */
export function shareOf(budget: number, size: number): number {
  return Math.min(SHARES, Math.ceil((budget / size) * SHARES));
}

/**
 * Which regions of the image this node keeps for the others. It takes those first that are more its own than anybody
 * else's, until its budget is used: so each region is held by whoever it is most the own of, and little moves when a
 * machine comes or goes.
 */
export class Duty {
  /** Chunks of the regions that are this node's to keep. */
  readonly chunks: ChunkSet;
  /** Whether some of these are still missing. */
  isOpen = true;
  readonly #self: NodeId;
  readonly #share: number;
  readonly #budget: number;
  readonly #own: Float64Array;
  /** Members whose score in a region is above ours. */
  readonly #before: Uint16Array;
  readonly #members = new Map<NodeId, number>();
  readonly #bytesOf: (region: number) => number;
  #seen = -1;

  /**
   * @param share what we say that we keep, as in our record
   * @param bytesOf bytes of a region
   */
  constructor(chunks: number, self: NodeId, share: number, budget: number, bytesOf: (region: number) => number) {
    const regions = regionCount(chunks);
    this.chunks = new ChunkSet(chunks);
    this.#self = self;
    this.#share = share;
    this.#budget = budget;
    this.#bytesOf = bytesOf;
    this.#own = Float64Array.from({ length: regions }, (_, region) => scoreOf(self, region, share));
    this.#before = new Uint16Array(regions);
  }

  /** Members have come or gone: some of these are taken into account. @returns false when nothing has changed */
  look(table: VTable): boolean {
    if (table.changes === this.#seen) return false;
    let left = CHANGES_AT_ONCE;
    for (const [node, share] of this.#members) {
      const record = table.get(node);
      if (record !== undefined && record.state !== STATE_LEAVING && weightOf(record, this.chunks.size) === share)
        continue;
      this.#count(node, share, -1);
      this.#members.delete(node);
      if (--left === 0) break;
    }
    for (const record of table.rows()) {
      if (left <= 0) break;
      const { node, state } = record;
      const share = weightOf(record, this.chunks.size);
      if (node === this.#self || state === STATE_LEAVING || share === 0 || this.#members.has(node)) continue;
      this.#count(node, share, 1);
      this.#members.set(node, share);
      left--;
    }
    if (left > 0) this.#seen = table.changes;
    if (left === CHANGES_AT_ONCE && this.chunks.count > 0) return false;
    this.#choose();
    return true;
  }

  /** Whether a region is more somebody else's than ours. */
  isBehind(record: NodeRecord, chunk: number): boolean {
    const { node } = record;
    const share = weightOf(record, this.chunks.size);
    const region = regionOf(chunk, this.chunks.size);
    const own = this.#own[region] as number;
    const other = scoreOf(node, region, share);
    return other > own || (other === own && node > this.#self);
  }

  #count(node: NodeId, share: number, change: 1 | -1): void {
    for (let region = 0; region < this.#own.length; region++) {
      if (scoreOf(node, region, share) <= (this.#own[region] as number)) continue;
      this.#before[region] = (this.#before[region] as number) + change;
    }
  }

  #choose(): void {
    const regions = Array.from(this.#own, (_, region) => region).sort(
      (a, b) =>
        (this.#before[a] as number) - (this.#before[b] as number) ||
        (this.#own[b] as number) - (this.#own[a] as number),
    );
    this.chunks.clear();
    let left = this.#share === 0 ? 0 : this.#budget * SHARE;
    for (const region of regions) {
      left -= this.#bytesOf(region);
      if (left < 0) return;
      this.chunks.addRange(regionRange(region, this.chunks.size));
    }
  }
}
