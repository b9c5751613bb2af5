import { expect, test } from 'vitest';
import type { Action } from '../../../../../src/field/event.ts';
import { Fetcher } from '../../../../../src/field/exchange/fetching/fetcher.ts';
import { ReadQueue } from '../../../../../src/field/exchange/fetching/read-queue.ts';
import { ChunkSet } from '../../../../../src/field/wire/chunk-set.ts';
import { packHoldings } from '../../../../../src/field/wire/holdings.ts';

const COUNT = 100;
const LENGTH = 64 << 10;
const lengths = { count: COUNT, size: COUNT * LENGTH, length: () => LENGTH };
const all = packHoldings(ChunkSet.full(COUNT), { start: 0, end: COUNT });

function fetcher() {
  const held = new ChunkSet(COUNT);
  const reads = new ReadQueue(held);
  const swaps = new ChunkSet(COUNT);
  const spareTime = { mayFill: () => true, isBesideReads: false, filled: () => {}, arrived: () => {} };
  const made = new Fetcher({ lengths, held, reads, random: () => 0.5, spareTime, hasRoom: () => true, swaps });
  made.connected(1, 11, '10.0.0.1:1', 0);
  made.holdings(1, all);
  const out: Action[] = [];
  made.pump(0, out);
  return { made, reads, held };
}

test('a source that was left the choice and is silent is late, and what it owes goes to another', () => {
  const { made } = fetcher();
  const [source] = made.sources.values();
  expect(source?.choices).toBeGreaterThan(0);
  expect(made.overdue(3900)).toEqual([]);
  expect(made.overdue(4100)).toEqual([source]);
  if (source === undefined) throw new Error('no source');
  made.withdraw(source, []);
  expect(source.bytesOnOrder).toBe(0);
  made.connected(3, 33, '10.0.0.3:1', 4100);
  made.holdings(3, all);
  const out: Action[] = [];
  made.pump(4100, out);
  expect(out.some((action) => action.kind === 'frame' && action.conn === 3 && action.frame.kind === 'get')).toBe(true);
  // What it chose before may still come; more than it was left is a breach.
  expect(made.incoming(1, 5, true)).toBe(true);
});

test('a chunk that nobody asked for is a breach, one that was taken back a moment ago is not', () => {
  const { made, reads } = fetcher();
  made.connected(3, 33, '10.0.0.3:1', 0);
  made.holdings(3, all);
  reads.add(1, { start: 70, end: 71 });
  made.pump(10, []);
  const ordered = [...made.sources.values()].filter(({ orders }) => orders.has(70));
  expect(ordered).toHaveLength(1);
  // Late: ordered a second time elsewhere. The first one that comes has the other taken back.
  made.pump(2000, []);
  const both = [...made.sources.values()].filter(({ orders }) => orders.has(70)).map(({ conn }) => conn);
  expect(both).toHaveLength(2);
  const [first = 0, second = 0] = both;
  expect(made.incoming(first, 70, false)).toBe(true);
  expect(made.arrived(first, 70, true, 2010)).toEqual([second]);
  expect(made.incoming(second, 70, false)).toBe(true);
  expect(made.incoming(second, 70, false)).toBe(false);
  expect(made.incoming(second, 71, false)).toBe(false);
});
