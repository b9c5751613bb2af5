import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeLengths } from '../../bench/field/crowd.ts';
import type { SimulatedNode } from '../../bench/field/simulated-node.ts';
import { Simulator } from '../../bench/field/simulator.ts';
import { anyDatagram, anyFrame } from './arbitrary.ts';

const LINK = { up: 12_500_000, down: 12_500_000 };

function field(
  seed: number,
  nodes: number,
  lossRate = 0,
  keep = Number.MAX_SAFE_INTEGER,
  wire: { duplicateRate?: number; jitterMs?: number } = {},
) {
  const lengths = makeLengths(2 << 20, 3);
  const simulator = new Simulator({ seed, lengths, latencyMs: 0.5, lossRate, isStrict: true, ...wire });
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

test('whatever is lost, late, repeated or overtaken, tables end equal and every node with the whole image', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 9 }),
      fc.double({ min: 0, max: 0.4, noNaN: true }),
      fc.double({ min: 0, max: 0.4, noNaN: true }),
      fc.nat(700),
      (seed, nodes, loss, duplicateRate, jitterMs) => {
        const wire = { duplicateRate, jitterMs };
        const { simulator, holder, others, lengths } = field(seed, nodes, loss, Number.MAX_SAFE_INTEGER, wire);
        simulator.run(40_000);
        for (const node of others) expect(node.machine.data?.held.count).toBe(lengths.count);
        // Loss ends, and what it left apart comes together.
        simulator.lossRate = 0;
        simulator.jitterMs = 0;
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

test('two that cannot reach each other are not lost as long as others reach both, and a node that is killed is', () => {
  const { simulator, holder, others } = field(5, 11);
  const [a, b, victim] = others as [SimulatedNode, SimulatedNode, SimulatedNode];
  simulator.run(10_000);
  simulator.logs.length = 0;
  simulator.reachable = (from, to) => !((from === a && to === b) || (from === b && to === a));
  simulator.run(300_000);
  expect(simulator.logs.filter((line) => /is lost|is gone|joined/.test(line))).toEqual([]);
  simulator.kill(victim);
  simulator.run(330_000);
  expect(holder.machine.gossip.table.get(victim.machine.nodeId)).toBeUndefined();
  // The two go on suspecting each other, and saying that they live: news of that are on their way now and then.
  const tablesOf = () => new Set(tables([holder, ...others]).map((table) => JSON.stringify(table))).size;
  simulator.run(360_000, () => tablesOf() === 1);
  expectOneTable([holder, ...others]);
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

/** Reads the whole image at every node, `depth` pieces of `width` chunks at a time, and checks what each is given. */
function readAll(simulator: Simulator, nodes: readonly SimulatedNode[], width: number, depth: number) {
  const left = new Map(nodes.map((node) => [node, { next: 0, open: new Map<number, number>() }]));
  const readNext = (node: SimulatedNode): void => {
    const state = left.get(node);
    const count = node.machine.data?.lengths.count ?? 0;
    const start = (state?.next ?? 0) * width;
    if (state === undefined || start >= count) return;
    const read = state.next++;
    const end = Math.min(count, start + width);
    state.open.set(read, end);
    simulator.event(node, { kind: 'read', read, chunks: { start, end } });
  };
  simulator.onReady = (node, read) => {
    const state = left.get(node);
    const end = state?.open.get(read);
    if (state === undefined || end === undefined) return;
    const start = read * width;
    expect(node.machine.data?.held.countIn({ start, end })).toBe(end - start);
    state.open.delete(read);
    const count = node.machine.data?.lengths.count ?? 0;
    if (state.open.size === 0 && state.next * width >= count) left.delete(node);
    else simulator.at(simulator.now + 0.1, () => readNext(node));
  };
  for (const node of nodes) for (let i = 0; i < depth; i++) readNext(node);
  return left;
}

test('reads wider than the budget complete, many at a time', () => {
  const { simulator, others } = field(7, 2, 0, 64 << 10);
  simulator.run(2000);
  const left = readAll(simulator, others, 6, 8);
  simulator.run(12_000);
  expect(left.size).toBe(0);
  for (const { machine } of others) expect(machine.data?.keep.hasRoom(0)).toBe(true);
});

test('nodes with a part of the image each hold all of it together, evenly, also when the one that brought it leaves', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 3, max: 6 }), (seed, nodes) => {
      // Twice the image in all.
      const { simulator, holder, others, lengths } = field(seed, nodes, 0, ((2 << 20) * 2) / nodes + (256 << 10));
      simulator.run(20_000);
      expect(holder.machine.data?.keeper.redundancy().min).toBeGreaterThanOrEqual(2);
      simulator.event(holder, { kind: 'leave' });
      simulator.run(30_000);
      expect(holder.isAlive).toBe(false);
      const left = readAll(simulator, others, 5, 4);
      simulator.run(60_000);
      expect(left.size).toBe(0);
      // However they dropped and fetched meanwhile, together they still hold everything.
      simulator.run(65_000);
      for (const { machine } of others) {
        expect(machine.data?.keep.hasRoom(0)).toBe(true);
        expect(machine.banned.size).toBe(0);
      }
      for (let chunk = 0; chunk < lengths.count; chunk++) {
        expect(others.some(({ machine }) => machine.data?.held.has(chunk))).toBe(true);
      }
    }),
    { numRuns: 10 },
  );
});

test('a node that leaves hands on what only it holds although nobody has room', () => {
  const { simulator, holder, others, lengths } = field(9, 4, 0, 1 << 20);
  simulator.run(15_000);
  const [leaver] = others as [SimulatedNode];
  simulator.kill(holder);
  simulator.run(40_000);
  simulator.event(leaver, { kind: 'leave' });
  simulator.run(75_000);
  expect(leaver.isAlive).toBe(false);
  const kept = others.filter((node) => node !== leaver);
  for (let chunk = 0; chunk < lengths.count; chunk++) {
    expect(kept.some(({ machine }) => machine.data?.held.has(chunk))).toBe(true);
  }
});

test('nothing that strangers and clients can say stops a node', () => {
  const fieldName = '00112233445566ff';
  const talk = fc.array(fc.oneof(anyDatagram, anyFrame), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(fc.nat(), talk, fc.boolean(), (seed, said, isMember) => {
      const { simulator, holder, others, lengths } = field(seed, 3);
      const [member] = others as [SimulatedNode];
      // Even conns are those who dialled; a stranger's number collides with nobody's.
      const conn = 1_000_000;
      simulator.event(holder, { kind: 'accepted', conn, node: 99, address: '10.9.9.9:1' });
      said.forEach((each, i) => {
        simulator.at(50 + i * 7, () => {
          if ('field' in each) {
            const from = isMember ? member.address : '10.9.9.9:1';
            const chunks = i % 2 === 0 ? lengths.count : each.chunks;
            // What a member says of others is believed, so it says nothing of these here.
            const { records: _, down: __, ...datagram } = each;
            const event = { kind: 'datagram', from, size: 1200, isMulticast: i % 3 === 0 } as const;
            simulator.event(holder, { ...event, datagram: { ...datagram, field: fieldName, chunks } });
          } else simulator.event(holder, { kind: 'frame', conn, frame: each });
        });
      });
      simulator.run(30_000);
      for (const node of others) expect(node.machine.data?.held.count).toBe(lengths.count);
      expectOneTable([holder, ...others]);
    }),
    { numRuns: 40 },
  );
});

test('who wakes too late listens before it finds anybody silent', () => {
  const { simulator, holder } = field(10, 2);
  simulator.run(5000);
  const late = simulator.now + 3000;
  expect(holder.machine.handle({ kind: 'wake' }, late)).toEqual([]);
  expect(holder.machine.nextWake()).toBeLessThan(late);
  expect(holder.machine.handle({ kind: 'wake' }, late + 1)).not.toEqual([]);
});
