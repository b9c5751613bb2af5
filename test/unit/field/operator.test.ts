/** What a person tells a node: how much it may send and fetch, whom to refuse, to fetch all. In virtual time. */
import { expect, test } from 'vitest';
import { type Limits, NO_LIMITS } from '../../../src/field/shares/limits.ts';
import { makeLengths } from '../../bench/field/crowd.ts';
import type { SimulatedNode } from '../../bench/field/simulated-node.ts';
import { Simulator } from '../../bench/field/simulator.ts';

const LINK = { up: 12_500_000, down: 12_500_000 };
const RATE = 1 << 20;
/** A quarter of a second at once, and chunks under way. */
const AT_ONCE = RATE / 4 + (1 << 18);

function field(nodes: number) {
  const lengths = makeLengths(8 << 20, 3);
  const simulator = new Simulator({ seed: 4, lengths, latencyMs: 0.5 });
  const holder = simulator.add(LINK, [], 0, true);
  const others = Array.from({ length: nodes }, () => simulator.add(LINK, [holder.address]));
  const held = Array.from({ length: lengths.count }, (_, i) => i);
  simulator.event(holder, { kind: 'layout', lengths, held, free: true });
  const start = (...starting: SimulatedNode[]): void => {
    for (const node of starting) simulator.event(node, { kind: 'start' });
  };
  const limit = (node: SimulatedNode, limits: Partial<Limits>): void =>
    simulator.event(node, { kind: 'limits', limits: { ...NO_LIMITS, ...limits } });
  const heldBytes = (node: SimulatedNode): number =>
    [...(node.machine.data?.held ?? [])].reduce((sum, chunk) => sum + lengths.length(chunk), 0);
  return { simulator, lengths, holder, others, start, limit, heldBytes };
}

test('a node fetches no more than it may, nearly that, and more when it may', () => {
  const { simulator, holder, others, start, limit, heldBytes, lengths } = field(1);
  const [node] = others as [SimulatedNode];
  limit(node, { downBytesPerSecond: RATE });
  start(holder, node);
  simulator.run(5000);
  expect(heldBytes(node)).toBeLessThan(5 * RATE + AT_ONCE);
  expect(heldBytes(node)).toBeGreaterThan(4 * RATE);
  limit(node, {});
  simulator.run(7000);
  expect(heldBytes(node)).toBe(lengths.size);
});

test('a node sends no more than it may to all together, and nearly that', () => {
  const { simulator, holder, others, start, limit } = field(3);
  limit(holder, { upBytesPerSecond: RATE });
  start(holder, ...others);
  simulator.run(5000);
  expect(holder.chunkBytes).toBeLessThan(5 * RATE + AT_ONCE);
  expect(holder.chunkBytes).toBeGreaterThan(4 * RATE);
  limit(holder, {});
  simulator.run(9000);
  for (const { machine } of others) expect(machine.data?.held.count).toBe(machine.data?.lengths.count);
});

test('what a read waits for does not wait behind what is fetched in advance', () => {
  const { simulator, holder, others, start, limit, lengths } = field(1);
  const [node] = others as [SimulatedNode];
  limit(node, { downBytesPerSecond: RATE });
  start(holder, node);
  simulator.run(2000);
  const late: number[] = [];
  const askedAt = new Map<number, number>();
  simulator.onReady = (_, read) => late.push(simulator.now - (askedAt.get(read) ?? 0));
  let read = 0;
  for (let at = 2000; at < 5000; at += 250) {
    simulator.run(at);
    const missing = node.machine.data?.held.nextMissing(lengths.count >> 1) ?? -1;
    askedAt.set(++read, at);
    simulator.event(node, { kind: 'read', read, chunks: { start: missing, end: missing + 1 } });
  }
  simulator.run(6000);
  expect(late).toHaveLength(read);
  // At this rate a chunk is there in 60 ms; half a burst of what came in advance was kept back for it.
  expect(Math.max(...late)).toBeLessThan(150);
});

test('who is refused gets nothing, is not declared gone, and is a member again when it is taken back', () => {
  const { simulator, holder, others, start } = field(3);
  const [picky, refused] = others as [SimulatedNode, SimulatedNode];
  start(holder, ...others);
  simulator.run(300);
  const host = refused.address.replace(/:\d+$/, '');
  simulator.refuses = (by, asked) => by === picky.address && asked === host;
  simulator.event(picky, { kind: 'refusals' });
  expect(
    [...picky.connections.values()].filter(({ dialler, dialled }) => [dialler, dialled].includes(refused)),
  ).toEqual([]);
  simulator.run(30_000);
  const isConnected = [...picky.connections.values()].some(({ dialler, dialled }) =>
    [dialler, dialled].includes(refused),
  );
  expect(isConnected).toBe(false);
  for (const { machine } of [holder, ...others]) {
    expect(machine.gossip.table.size).toBe(4);
    expect(machine.data?.held.count).toBe(machine.data?.lengths.count);
  }
  expect(simulator.logs.filter((line) => /is lost|is gone/.test(line))).toEqual([]);
  // Its copies are none that this node counts on.
  expect(picky.machine.data?.keeper.redundancy().min).toBe(3);
  simulator.refuses = () => false;
  simulator.event(picky, { kind: 'refusals' });
  simulator.run(40_000);
  expect(picky.machine.data?.keeper.redundancy().min).toBe(4);
});
