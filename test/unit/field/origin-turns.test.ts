/** Of a field that hangs on an origin, one node of all asks it for a chunk; the others have it from there. */
import { expect, test } from 'vitest';
import type { Action } from '../../../src/field/event.ts';
import { OriginOrders } from '../../../src/field/exchange/connections/origin-orders.ts';
import { makeStock } from '../../../src/field/exchange/stock.ts';
import { Rooms } from '../../../src/field/members/rooms.ts';
import { VTable } from '../../../src/field/members/v-table.ts';
import { Throttle } from '../../../src/field/shares/throttle.ts';
import { ChunkSet } from '../../../src/field/wire/chunk-set.ts';
import { LEVEL, summarize } from '../../../src/field/wire/summary.ts';
import { makeLengths } from '../../bench/field/crowd.ts';

const lengths = makeLengths(16 << 20, 3);
const NODES = [11, 12, 13, 14, 15];

/** A node that knows of all the others; `holder` holds all. */
function node(self: number, holder?: number) {
  const none = summarize(new ChunkSet(lengths.count));
  const full = new ChunkSet(lengths.count);
  full.addRange({ start: 0, end: lengths.count });
  const rows = NODES.map((id) => ({ node: id, state: 0, summary: id === holder ? summarize(full) : none }));
  const wanted: number[] = [];
  const orders = new OriginOrders({
    node: self,
    hasOrigin: true,
    gossip: { table: { rows: () => rows } } as never,
    neighbours: { isConnected: () => false, want: (id: number) => wanted.push(id) } as never,
    isBanned: () => false,
    limit: new Throttle(),
  });
  const throttle = { up: new Throttle(), down: new Throttle() };
  const options = { node: self, lengths, held: [], free: false, budget: 1 << 30, random: () => 0.5, ...throttle };
  const rooms = new Rooms({ room: 0, isLocal: () => true, rtt: () => undefined, leastRtt: () => 1 });
  const alone = { table: new VTable(), rooms, want: () => {} };
  const spareTime = { mayFill: () => true, isBesideReads: false, filled: () => {}, arrived: () => {} };
  const stock = makeStock({ ...options, ...alone, spareTime, origins: orders }, 0);
  const ask = (now: number): number[] => {
    const out: Action[] = [];
    orders.ask(stock, now, out);
    return out.flatMap((action) => (action.kind === 'ask origin' ? [action.chunk] : []));
  };
  return { orders, stock, ask, wanted };
}

const COUNT = 64;

test('each chunk is asked for by one of five nodes that all want it', () => {
  const asked = NODES.map((self) => {
    const { stock, ask } = node(self);
    stock.reads.add(1, { start: 0, end: COUNT });
    return ask(0);
  });
  const all = asked.flat().sort((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: COUNT }, (_, i) => i));
  expect(asked.filter((some) => some.length > 0).length).toBeGreaterThan(2);
});

test('who should bring a chunk and does not is followed by the next one, and then by whoever wants it', () => {
  const { stock, ask, wanted } = node(11);
  stock.reads.add(1, { start: 0, end: COUNT });
  const first = ask(0);
  expect(first.length).toBeLessThan(COUNT);
  expect(new Set(wanted).size).toBeGreaterThan(1);
  const second = ask(8100);
  expect(second.length).toBeGreaterThan(0);
  const third = ask(16_200);
  expect([...first, ...second, ...third].sort((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
});

test('who says that it does not bring a chunk is followed at once', () => {
  const { orders, stock, ask } = node(11);
  stock.reads.add(1, { start: 0, end: COUNT });
  const first = ask(0);
  // Twice: in whatever order they say so.
  for (const id of [...NODES, ...NODES]) orders.lacked(id, [{ start: 0, end: COUNT }], 10);
  const second = ask(20);
  expect([...first, ...second].sort((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
});

test('what a node of the field has is not asked of an origin until that node has had its time', () => {
  const { stock, ask } = node(11, 12);
  stock.reads.add(1, { start: 0, end: COUNT });
  expect(ask(0)).toEqual([]);
  expect(ask(1600).length).toBeGreaterThan(0);
  expect(LEVEL.all).toBe(3);
});

test('a chunk is brought for others by those alone whose turn it is, so many at a time', () => {
  const brought = NODES.map((self) => {
    const { orders, ask } = node(self);
    const mine = Array.from({ length: lengths.count }, (_, i) => i).filter((i) => orders.bring(i, lengths.count, 0));
    expect(orders.isToBring).toBe(mine.length > 0);
    expect(ask(0)).toEqual(mine);
    for (const chunk of mine) expect(orders.isAsked(chunk)).toBe(true);
    expect(orders.answered(mine[0] ?? -1, true)).toBe(true);
    return mine;
  });
  for (const mine of brought) expect(mine.length).toBeLessThanOrEqual(64);
  expect(brought.flat().length).toBeGreaterThan(lengths.count / 2);
});

test('what is asked for in advance, and then waited for by a read, is asked for urgently', () => {
  const { orders, stock } = node(11);
  stock.reads.window.addRange({ start: 0, end: COUNT });
  const out: Action[] = [];
  orders.ask(stock, 0, out);
  const [ahead] = out;
  expect(ahead).toMatchObject({ kind: 'ask origin', urgent: false });
  const chunk = ahead?.kind === 'ask origin' ? ahead.chunk : -1;
  stock.reads.add(1, { start: chunk, end: chunk + 1 });
  const again: Action[] = [];
  orders.ask(stock, 1, again);
  expect(again[0]).toEqual({ kind: 'ask origin', chunk, urgent: true });
});
