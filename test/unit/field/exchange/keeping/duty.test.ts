import { expect, test } from 'vitest';
import { Duty } from '../../../../../src/field/exchange/keeping/duty.ts';
import { VTable } from '../../../../../src/field/members/v-table.ts';
import { makeRecord, type NodeId, STATE_UP } from '../../../../../src/field/wire/record.ts';
import { regionOf } from '../../../../../src/field/wire/regions.ts';
import { emptySummary } from '../../../../../src/field/wire/summary.ts';
import { Simulator } from '../../../../bench/field/simulator.ts';

const CHUNKS = 4000;
const node = (i: number): NodeId => (i * 2_654_435_761 + 7) % 2 ** 48;

function tableOf(shares: readonly number[]): VTable {
  const table = new VTable();
  shares.forEach((share, i) => {
    const summary = { ...emptySummary(CHUNKS), share };
    table.merge(makeRecord({ node: node(i), life: 1, version: 1, state: STATE_UP, address: `10.0.0.${i}:1`, summary }));
  });
  return table;
}

function dutyOf(i: number, share: number, table: VTable): Duty {
  const duty = new Duty(CHUNKS, node(i), share, (share / 255) * CHUNKS, () => CHUNKS / 256);
  while (duty.look(table));
  return duty;
}

/** How often each chunk is somebody's duty. */
function coverage(shares: readonly number[], without = -1): number[] {
  const table = tableOf(shares);
  if (without >= 0) table.remove(node(without));
  const copies = new Array<number>(CHUNKS).fill(0);
  shares.forEach((share, i) => {
    if (i === without) return;
    for (const chunk of dutyOf(i, share, table).chunks) copies[chunk] = (copies[chunk] ?? 0) + 1;
  });
  return copies;
}

test('what each keeps by the table alone is together all of the image, whoever is missing', () => {
  const shares = Array.from({ length: 30 }, (_, i) => 20 + (i % 3) * 10);
  for (const without of [-1, 0, 7, 29]) expect(Math.min(...coverage(shares, without))).toBeGreaterThanOrEqual(1);
});

test('nobody has a duty beyond what it keeps, and who keeps twice as much has about twice the duty', () => {
  const shares = [...Array<number>(10).fill(25), ...Array<number>(10).fill(50)];
  const table = tableOf(shares);
  const sizes = shares.map((share, i) => dutyOf(i, share, table).chunks.count);
  sizes.forEach((size, i) => {
    expect(size).toBeLessThanOrEqual(((shares[i] ?? 0) / 255) * CHUNKS);
  });
  const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b);
  expect(sum(sizes.slice(10)) / sum(sizes.slice(0, 10))).toBeGreaterThan(1.7);
});

test('when one machine goes, little moves', () => {
  const shares = Array<number>(40).fill(30);
  const before = tableOf(shares);
  const after = tableOf(shares);
  after.remove(node(5));
  let moved = 0;
  let all = 0;
  for (let i = 0; i < shares.length; i++) {
    if (i === 5) continue;
    const [old, anew] = [dutyOf(i, 30, before).chunks, dutyOf(i, 30, after).chunks];
    const regions = new Set<number>();
    for (const chunk of anew) if (!old.has(chunk)) regions.add(regionOf(chunk, CHUNKS));
    moved += regions.size;
    all += 27;
  }
  expect(moved / all).toBeLessThan(0.15);
});

test('nodes with a part of a large image each hold all of it, also when the one that brought it leaves', () => {
  const lengths = { count: CHUNKS, size: CHUNKS * 4096, length: () => 4096 };
  const link = { up: 125e6, down: 125e6 };
  const simulator = new Simulator({ seed: 3, lengths, latencyMs: 0.3, isStrict: true });
  const holder = simulator.add(link, [], 0, true);
  const held = Array.from({ length: CHUNKS }, (_, i) => i);
  simulator.event(holder, { kind: 'layout', lengths, held, free: true });
  simulator.event(holder, { kind: 'start' });
  // More nodes than anybody has connections to.
  const others = Array.from({ length: 20 }, () => simulator.add(link, [holder.address], lengths.size * 0.15));
  for (const each of others) simulator.event(each, { kind: 'start' });
  simulator.run(20_000);
  simulator.event(holder, { kind: 'leave' });
  simulator.run(40_000);
  expect(holder.isAlive).toBe(false);
  expect(simulator.logs.filter((line) => /loses/.test(line))).toEqual([]);
  const sent = others.reduce((sum, each) => sum + each.chunkBytes, 0);
  simulator.run(60_000);
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    if (!others.some(({ machine }) => machine.data?.held.has(chunk))) throw new Error(`chunk ${chunk} is lost`);
  }
  // And then there is rest.
  expect(others.reduce((sum, each) => sum + each.chunkBytes, 0) - sent).toBeLessThan(lengths.size * 0.05);
});
