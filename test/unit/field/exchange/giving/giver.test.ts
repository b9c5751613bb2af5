import { expect, test } from 'vitest';
import type { Action } from '../../../../../src/field/event.ts';
import { Giver } from '../../../../../src/field/exchange/giving/giver.ts';
import { ChunkSet } from '../../../../../src/field/wire/chunk-set.ts';

const CHUNKS = 20;
const lengths = { count: CHUNKS, size: CHUNKS * 1000, length: () => 1000 };
const clients = [2, 4, 6, 8, 10];

/** A giver of the first ten chunks with five clients that want to hear what it gains. */
function giver() {
  const held = new ChunkSet(CHUNKS);
  held.addRange({ start: 0, end: 10 });
  const made = new Giver({ lengths, held, isComing: () => false });
  for (const conn of clients) {
    made.accepted(conn, conn, `10.0.0.${conn}:1`, 0);
    made.subscribe(conn, []);
  }
  const gain = (chunk: number, isRare: boolean, now: number): void => {
    held.add(chunk);
    made.gained(chunk, isRare, now);
  };
  const pump = (now: number): Action[] => {
    const out: Action[] = [];
    made.pump(now, out);
    return out;
  };
  return { made, gain, pump };
}

/** Who is told of which chunks. */
function told(actions: readonly Action[]): Map<number, number[]> {
  const news = new Map<number, number[]>();
  for (const action of actions) {
    if (action.kind !== 'frame' || action.frame.kind !== 'have') continue;
    const chunks = action.frame.added.flatMap(({ start, end }) =>
      Array.from({ length: end - start }, (_, i) => start + i),
    );
    news.set(action.conn, chunks);
  }
  return news;
}

test('a rare chunk is told to three clients at once and to the others within half a second', () => {
  const { gain, pump } = giver();
  gain(15, true, 1000);
  const first = told(pump(1005));
  expect(first.size).toBe(3);
  expect([...first.values()]).toEqual([[15], [15], [15]]);
  const rest = told(pump(1500));
  expect([...first.keys(), ...rest.keys()].sort((a, b) => a - b)).toEqual(clients);
  expect(told(pump(3000)).size).toBe(0);
});

test('news go with the next chunk that a client gets, and before it', () => {
  const { made, gain, pump } = giver();
  gain(12, false, 1000);
  expect(pump(1001)).toEqual([]);
  const want = { choose: false, urgent: false, insist: false, count: 1, ranges: [{ start: 3, end: 4 }] };
  made.get(4, want, 1002, []);
  const actions = pump(1003);
  expect(actions.map(({ kind }) => kind)).toEqual(['frame', 'give']);
  expect(told(actions)).toEqual(new Map([[4, [12]]]));
  expect(told(pump(1500)).has(4)).toBe(false);
});
