import type { FieldNode } from './node.ts';
import type { BootOrder } from './wire/boot-order.ts';
import type { ChunkSet } from './wire/chunk-set.ts';

/** The image from its first chunk to its last in so many equal parts, or one for each chunk of a small one. */
const MOST_PARTS = 256;

/** What a node holds and what all hold together, along the image. */
export interface FieldStrip {
  /** For each part a digit: 9 when this node holds all of it, 0 when nothing, else the share in ninths. */
  readonly held: string;
  /** For each part, how many nodes hold its rarest chunk. */
  readonly copies: readonly number[];
  /** What boots read; not there while this node knows no profile. */
  readonly read?: ReadStrip;
}

/** A boot profile along the image. */
export interface ReadStrip {
  /** For each part a digit: 9 when it is read first of all, 1 when last, 0 when not. */
  readonly parts: string;
  /** Boots that are in it. */
  readonly boots: number;
  /** Of the image's chunks, those that boots read. */
  readonly chunks: number;
}

/**
 * @param copies for each chunk, how many other nodes hold it
 */
export function makeStrip(held: ChunkSet, copies: (chunk: number) => number): FieldStrip {
  const chunks = held.size;
  const parts = Math.min(chunks, MOST_PARTS);
  let text = '';
  const least: number[] = [];
  for (let part = 0; part < parts; part++) {
    const start = Math.floor((part * chunks) / parts);
    const end = Math.floor(((part + 1) * chunks) / parts);
    let own = 0;
    let min = Number.POSITIVE_INFINITY;
    for (let chunk = start; chunk < end; chunk++) {
      const has = held.has(chunk) ? 1 : 0;
      own += has;
      min = Math.min(min, copies(chunk) + has);
    }
    const count = end - start;
    // 9 and 0 are said only of all and nothing
    text += own === count ? 9 : own === 0 ? 0 : Math.min(8, Math.max(1, Math.round((own / count) * 9)));
    least.push(min);
  }
  return { held: text, copies: least };
}

/** Each part as its chunk that is read first. @param chunks of the image */
export function makeReadStrip({ boots, runs }: BootOrder, chunks: number): ReadStrip {
  const parts = Math.min(chunks, MOST_PARTS);
  const digits = new Uint8Array(parts);
  const all = runs.reduce((sum, { start, end }) => sum + end - start, 0);
  let read = 0;
  for (const { start, end } of runs) {
    for (let chunk = start; chunk < end; chunk++, read++) {
      // As fieldStrip cuts the image: the last part that begins at this chunk or before it.
      const part = Math.floor(((chunk + 1) * parts - 1) / chunks);
      digits[part] ||= 9 - Math.floor((read * 9) / all);
    }
  }
  return { parts: digits.join(''), boots, chunks: all };
}

/** Empty while the node does not know how many chunks the image has. */
export function fieldStrip({ machine }: FieldNode): FieldStrip {
  const { data } = machine;
  if (data === undefined) return { held: '', copies: [] };
  const { known } = machine.profiles;
  const strip = makeStrip(data.held, data.keeper.copies());
  return known === undefined ? strip : { ...strip, read: makeReadStrip(known, data.lengths.count) };
}
