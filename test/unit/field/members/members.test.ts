import { expect, test } from 'vitest';
import { Members } from '../../../../src/field/members/members.ts';
import { VTable } from '../../../../src/field/members/v-table.ts';
import { makeRecord, type NodeId, STATE_UP } from '../../../../src/field/wire/record.ts';
import { emptySummary } from '../../../../src/field/wire/summary.ts';
import { generator } from '../../../bench/field/simulator.ts';

function record(node: NodeId) {
  const address = `10.0.${node >> 8}.${node & 255}:20070`;
  return makeRecord({ node, life: 1, version: 1, state: STATE_UP, address, summary: emptySummary(8) });
}

/** The members that node 1 sees of a field of nodes 1, 2, 3 … */
function membersOf(nodes: number, seed: number) {
  const table = new VTable();
  const members = new Members(table, 1, generator(seed));
  for (let node = 1; node <= nodes; node++) {
    table.merge(record(node));
    members.appeared(node);
  }
  return { table, members };
}

/** Whom a node that is at rest talks to in so many seconds. */
function spokenTo(members: Members, seconds: number): Set<NodeId> {
  const nodes = new Set<NodeId>();
  for (let second = 0; second < seconds; second++) {
    for (const each of [members.next(), ...members.pick(2)]) if (each !== undefined) nodes.add(each.node);
  }
  return nodes;
}

test('in a small field a node talks to everybody, and in thousands to a few dozen in a minute', () => {
  expect(spokenTo(membersOf(12, 1).members, 60).size).toBe(11);
  expect(spokenTo(membersOf(1, 1).members, 60).size).toBe(0);
  for (const nodes of [100, 1000, 5000]) {
    const { size } = spokenTo(membersOf(nodes, nodes).members, 60);
    expect(size).toBeGreaterThan(12);
    expect(size).toBeLessThan(40);
  }
});

test('sooner or later a node talks to each of a large field', () => {
  expect(spokenTo(membersOf(200, 7).members, 60_000).size).toBe(199);
});

test('whoever joins, early or late, is in about as many circles as any other', () => {
  const nodes = 400;
  const counts = new Map<NodeId, number>();
  for (let seed = 1; seed <= nodes; seed++) {
    for (const node of spokenTo(membersOf(nodes, seed).members, 20)) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const seen = (from: number, to: number): number => {
    let sum = 0;
    for (let node = from; node < to; node++) sum += counts.get(node) ?? 0;
    return sum / (to - from);
  };
  const [early, late] = [seen(2, 102), seen(nodes - 100, nodes)];
  expect(early / late).toBeGreaterThan(0.6);
  expect(early / late).toBeLessThan(1.6);
  expect(Math.min(...counts.values())).toBeGreaterThan(3);
});

test('who is gone is talked to no more, and others come in', () => {
  const { table, members } = membersOf(100, 3);
  const before = spokenTo(members, 30);
  for (const node of before) table.merge(table.tombstoneFor(record(node), 8));
  const after = spokenTo(members, 30);
  expect([...after].filter((node) => before.has(node))).toEqual([]);
  expect(after.size).toBeGreaterThan(10);
});
