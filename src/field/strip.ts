import type { FieldNode } from './node.ts';
import type { ChunkSet } from './wire/chunk-set.ts';

/** The image from its first chunk to its last in so many equal parts, or one for each chunk of a small one. */
const MOST_PARTS = 256;

/** What a node holds and what all hold together, along the image. */
export interface FieldStrip {
  /** For each part a digit: 9 when this node holds all of it, 0 when nothing, else the share in ninths. */
  readonly held: string;
  /** For each part, how many nodes hold its rarest chunk. */
  readonly copies: readonly number[];
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

/** Empty while the node does not know how many chunks the image has. */
export function fieldStrip({ machine }: FieldNode): FieldStrip {
  const { data } = machine;
  if (data === undefined) return { held: '', copies: [] };
  return makeStrip(data.held, data.keeper.copies());
}
