import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeLengths } from '../../bench/field-crowd.ts';
import { type SimulatedNode, Simulator } from '../../bench/field-simulator.ts';

const LINK = { up: 12_500_000, down: 12_500_000 };

function field(seed: number, nodes: number, lossRate = 0, keep = Number.MAX_SAFE_INTEGER) {
  const lengths = makeLengths(2 << 20, 3);
  const simulator = new Simulator({ seed, lengths, latencyMs: 0.5, lossRate });
  const chunks = Array.from({ length: lengths.count }, (_, i) => i);
  const holder = simulator.add(LINK, [], 0, true);
  const start = (node: SimulatedNode, hasImage: boolean): void => {
    if (hasImage) simulator.event(node, { kind: 'layout', lengths, held: chunks, free: true });
    simulator.event(node, { kind: 'start' });
  };
  start(holder, true);
  const others = Array.from({ length: nodes }, () => simulator.add(LINK, [holder.address], keep));
  for (const node of others) start(node, false);
  return { simulator, lengths, chunks, holder, others, start };
}

function tables(nodes: readonly SimulatedNode[]): unknown[] {
  return nodes
    .filter(({ isAlive }) => isAlive)
    .map(({ machine }) => [...machine.gossip.table.rows()].map(({ hash }) => hash).sort((a, b) => a - b));
}

function expectOneTable(nodes: readonly SimulatedNode[]): void {
  const [first, ...rest] = tables(nodes);
  for (const table of rest) expect(table).toEqual(first);
}

test('with any loss of datagrams every table ends equal and every node with the whole image', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 9 }),
      fc.double({ min: 0, max: 0.4, noNaN: true }),
      (seed, nodes, loss) => {
        const { simulator, holder, others, lengths } = field(seed, nodes, loss);
        simulator.run(40_000);
        for (const node of others) expect(node.machine.data?.held.count).toBe(lengths.count);
        // Loss ends, and what it left apart comes together.
        simulator.lossRate = 0;
        simulator.run(60_000);
        expectOneTable([holder, ...others]);
        expect(holder.machine.gossip.table.size).toBe(nodes + 1);
      },
    ),
    { numRuns: 15 },
  );
});

test('a read waits while nobody holds the chunk, and completes when somebody who has it comes', () => {
  const { simulator, holder, others, start } = field(1, 2, 0, 0);
  const [reader, other] = others as [SimulatedNode, SimulatedNode];
  simulator.run(3000);
  simulator.kill(holder);
  const done: number[] = [];
  simulator.onReady = (_node, read) => done.push(read);
  simulator.run(4000);
  simulator.event(reader, { kind: 'read', read: 7, chunks: { start: 3, end: 5 } });
  simulator.run(30_000);
  expect(done).toEqual([]);
  const returned = simulator.add(LINK, [other.address], 0, true);
  start(returned, true);
  simulator.run(40_000);
  expect(done).toEqual([7]);
});

test('a partition declares the other side lost, and heals', () => {
  const { simulator, holder, others } = field(2, 6);
  const all = [holder, ...others];
  simulator.run(10_000);
  const left = new Set(all.slice(0, 3));
  simulator.reachable = (a, b) => left.has(a) === left.has(b);
  simulator.run(60_000);
  expect(holder.machine.gossip.table.size).toBe(3);
  expect(others[5]?.machine.gossip.table.size).toBe(4);
  simulator.reachable = () => true;
  simulator.run(160_000);
  expect(holder.machine.gossip.table.size).toBe(7);
  expectOneTable(all);
});

test('a node that is killed is lost to the others, and its successor at the same address takes its place', () => {
  const { simulator, holder, others, lengths } = field(3, 4);
  simulator.run(10_000);
  const victim = others[1] as SimulatedNode;
  simulator.kill(victim);
  simulator.run(25_000);
  expect(holder.machine.gossip.table.get(victim.machine.nodeId)).toBeUndefined();
  const again = simulator.restart(victim, [holder.address]);
  simulator.event(again, { kind: 'start' });
  simulator.run(50_000);
  expect(again.machine.data?.held.count).toBe(lengths.count);
  expectOneTable([holder, ...others.filter((node) => node !== victim), again]);
});

test('a node that leaves hands over what only it holds', () => {
  const { simulator, holder, others, lengths } = field(4, 3);
  // Before anybody had the time to fetch much.
  simulator.run(120);
  simulator.event(holder, { kind: 'leave' });
  simulator.run(20_000);
  expect(holder.isAlive).toBe(false);
  for (const node of others) expect(node.machine.data?.held.count).toBe(lengths.count);
  for (const node of others) expect(node.machine.gossip.table.get(holder.machine.nodeId)).toBeUndefined();
});

test('who gives false chunks is shut out and named, and everybody gets the image all the same', () => {
  const { simulator, others, lengths } = field(5, 6);
  const liar = others[2] as SimulatedNode;
  liar.lies = 'chunks';
  simulator.run(30_000);
  const honest = others.filter((node) => node !== liar);
  for (const node of honest) expect(node.machine.data?.held.count).toBe(lengths.count);
  expect(honest.some(({ machine }) => machine.banned.has(liar.machine.nodeId))).toBe(true);
  for (const { machine } of honest) for (const node of machine.banned.keys()) expect(node).toBe(liar.machine.nodeId);
});

test('nine nodes in ten are killed and the holder leaves: reads go on', () => {
  const { simulator, holder, others, lengths } = field(6, 20);
  simulator.run(4_000);
  const survivors = others.filter((_, i) => i % 10 === 3);
  for (const node of others) if (!survivors.includes(node)) simulator.kill(node);
  simulator.event(holder, { kind: 'leave' });
  const waiting = new Set(survivors);
  simulator.onReady = (node) => waiting.delete(node);
  for (const node of survivors) {
    simulator.event(node, { kind: 'read', read: 1, chunks: { start: 0, end: lengths.count } });
  }
  simulator.run(60_000);
  expect(waiting.size).toBe(0);
});
