import type { Action, ConnectionId } from '../../event.ts';
import type { ChunkRange } from '../../wire/chunk-set.ts';
import { toRanges } from '../../wire/ranges.ts';
import type { Source } from './source.ts';

/** What is ordered from one source at a time: one frame for each urgency. */
export interface Basket {
  readonly exact: number[];
  readonly urgent: number[];
  readonly insist: number[];
  /** Chunks that it is left to choose, and from which. */
  choices: number;
  /** Nobody waits for what it chooses. */
  isSpare: boolean;
  choiceRanges: readonly ChunkRange[];
  /** How many chunks there are to choose from. */
  choicesMost: number;
}

export function basketOf(baskets: Map<Source, Basket>, source: Source): Basket {
  let basket = baskets.get(source);
  if (basket === undefined) {
    basket = { exact: [], urgent: [], insist: [], choices: 0, isSpare: false, choiceRanges: [], choicesMost: 0 };
    baskets.set(source, basket);
  }
  return basket;
}

export function shipBasket(conn: ConnectionId, basket: Basket, out: Action[]): void {
  const get = (chunks: number[], urgent: boolean, insist: boolean): void => {
    if (chunks.length === 0) return;
    const ranges = toRanges(chunks.sort((a, b) => a - b));
    const frame = { kind: 'get', choose: false, urgent, insist, count: chunks.length, ranges } as const;
    out.push({ kind: 'frame', conn, frame });
  };
  get(basket.insist, true, true);
  get(basket.urgent, true, false);
  get(basket.exact, false, false);
  if (basket.choices === 0) return;
  const choice = { choose: true, urgent: false, insist: false, count: basket.choices, ranges: basket.choiceRanges };
  out.push({ kind: 'frame', conn, frame: { kind: 'get', ...choice } });
}
