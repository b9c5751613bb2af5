import { setTimeout as sleep } from 'node:timers/promises';
import type { CarriedChunks } from '../../image/carried-chunks.ts';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import type { ChunkHolder } from './chunk-holder.ts';
import type { Twins } from './twins.ts';

/** Each chunk's time is rested so often before the next one is taken into memory: a boot goes on meanwhile. */
const RESTS = 3;

/** What of an image the system before had in memory, of another image most often. Each chunk stays until it is taken. */
export class CarriedLayer {
  readonly #carried: CarriedChunks;
  readonly #twins: Twins;
  /** Where each is among what was carried, by the first of equal chunks. */
  readonly #places = new Map<number, number>();

  constructor(carried: CarriedChunks, index: ChunkIndex, twins: Twins) {
    this.#carried = carried;
    this.#twins = twins;
    const { index: all } = carried;
    for (let i = 0; i < all.count; i++) {
      const chunk = all.hash === index.hash && carried.has(i) ? twins.find(all.digest(i)) : -1;
      const isWanted = chunk >= 0 && !this.#places.has(chunk) && index.length(chunk) === all.length(i);
      if (isWanted) this.#places.set(chunk, i);
      else carried.drop(i);
    }
  }

  /** Of equal chunks the first. */
  get chunks(): readonly number[] {
    return [...this.#places.keys()];
  }

  has(chunk: number): boolean {
    return this.#places.has(this.#twins.firstOf(chunk));
  }

  /** Checked. @throws Error when it cannot be read */
  async read(chunk: number): Promise<Uint8Array> {
    const place = this.#places.get(this.#twins.firstOf(chunk));
    if (place === undefined) throw new Error(`chunk ${chunk} was not carried over`);
    return await this.#carried.read(place);
  }

  /** It is elsewhere now, or wanted no more. */
  drop(chunk: number): void {
    const first = this.#twins.firstOf(chunk);
    const place = this.#places.get(first);
    if (place === undefined) return;
    this.#places.delete(first);
    this.#carried.drop(place);
  }
}

/** Something that boots from this node reads by then what it needs, and is not to be kept waiting by the rest. */
export const BOOT_MS = 90_000;

/** Takes into memory what was carried over, little by little. @param trouble is told of what cannot be read */
export async function settleCarried(
  holder: ChunkHolder,
  trouble: (chunk: number, error: unknown) => void,
  isEnded: () => boolean,
): Promise<void> {
  for (const chunk of holder.carried) {
    if (isEnded()) return;
    const startMs = performance.now();
    try {
      if (holder.isCarried(chunk)) await holder.load(chunk);
    } catch (error) {
      trouble(chunk, error);
    }
    await sleep(RESTS * (performance.now() - startMs), undefined, { ref: false });
  }
}
