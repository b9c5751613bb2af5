import type { VTable } from '../../members/v-table.ts';
import { type ChunkRange, ChunkSet } from '../../wire/chunk-set.ts';
import { type Holdings, heldRanges } from '../../wire/holdings.ts';
import { type NodeId, STATE_LEAVING } from '../../wire/record.ts';
import { regionCount, regionOf } from '../../wire/regions.ts';
import { LEVEL, levelOf } from '../../wire/summary.ts';
import type { Source } from './source.ts';

/**
 * How many others hold each chunk: of our sources it is known exactly, and kept up to date with every word of theirs; of
 * all others only which regions they hold whole.
 */
export class Copies {
  /** Sources that have each chunk. */
  readonly counts: Uint16Array;
  /** Chunks that more than one source has. */
  readonly shared: ChunkSet;
  /** Nodes that are no sources and hold all of a region. */
  readonly #far: Uint16Array;
  readonly #chunks: number;
  #leaving: readonly Source[] = [];

  /** @param chunks in the image */
  constructor(chunks: number) {
    this.#chunks = chunks;
    this.counts = new Uint16Array(chunks);
    this.shared = new ChunkSet(chunks);
    this.#far = new Uint16Array(regionCount(chunks));
  }

  /** Others that hold a chunk and stay, as far as is known: never more than there are. */
  of(chunk: number): number {
    let copies = (this.counts[chunk] as number) + (this.#far[regionOf(chunk, this.#chunks)] as number);
    for (const { has } of this.#leaving) if (has.has(chunk)) copies--;
    return copies;
  }

  /** Those of them that are no sources of ours. */
  farFrom(chunk: number): number {
    return this.#far[regionOf(chunk, this.#chunks)] as number;
  }

  /**
   * Counts anew what the table says of those that are not connected.
   * @param leaving sources that are about to go: nobody counts on these
   * @param isCounted not us, a source or shut out
   */
  lookAround(table: VTable, leaving: readonly Source[], isCounted: (node: NodeId) => boolean): void {
    this.#leaving = leaving;
    this.#far.fill(0);
    for (const { node, state, summary } of table.rows()) {
      if (state === STATE_LEAVING || !isCounted(node)) continue;
      for (let region = 0; region < this.#far.length; region++) {
        if (levelOf(summary, region) === LEVEL.all) this.#far[region] = (this.#far[region] as number) + 1;
      }
    }
  }

  /** A source is gone. */
  forget({ has }: Source): void {
    for (const chunk of has) this.#add(chunk, -1);
  }

  /** A source has told all that it holds of a part of the image. */
  replace(source: Source, window: Holdings): void {
    const end = Math.min(window.start + window.size, this.#chunks);
    for (let chunk = source.has.next(window.start); chunk >= 0 && chunk < end; chunk = source.has.next(chunk + 1)) {
      this.lose(source, chunk);
    }
    this.change(source, [...heldRanges(window)], []);
  }

  change(source: Source, added: readonly ChunkRange[], removed: readonly ChunkRange[]): void {
    const limit = this.counts.length;
    for (const { start, end } of added) {
      for (let chunk = start; chunk < Math.min(end, limit); chunk++) if (source.has.add(chunk)) this.#add(chunk, 1);
    }
    for (const { start, end } of removed) {
      for (let chunk = start; chunk < Math.min(end, limit); chunk++) this.lose(source, chunk);
    }
  }

  lose(source: Source, chunk: number): void {
    if (source.has.delete(chunk)) this.#add(chunk, -1);
  }

  #add(chunk: number, change: 1 | -1): void {
    const count = (this.counts[chunk] as number) + change;
    this.counts[chunk] = count;
    if (count === 2 && change === 1) this.shared.add(chunk);
    else if (count === 1 && change === -1) this.shared.delete(chunk);
  }
}
