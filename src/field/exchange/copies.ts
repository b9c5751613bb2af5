import type { ChunkRange } from '../wire/chunk-set.ts';
import { type Holdings, unpackInto } from '../wire/holdings.ts';
import type { Source } from './source.ts';

/** What our sources hold, and how many of them hold each chunk: the one never changes without the other. */
export class Copies {
  readonly counts: Uint16Array;

  /** @param chunks in the image */
  constructor(chunks: number) {
    this.counts = new Uint16Array(chunks);
  }

  /** A source is gone. */
  forget({ has }: Source): void {
    for (const chunk of has) this.#add(chunk, -1);
  }

  /** A source has told all that it holds. */
  replace(source: Source, windows: readonly Holdings[]): void {
    this.forget(source);
    source.has.clear();
    for (const window of windows) unpackInto(window, source.has);
    for (const chunk of source.has) this.#add(chunk, 1);
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
    this.counts[chunk] = (this.counts[chunk] as number) + change;
  }
}
