/** What is fetched in advance gives way to what a machine reads, and is fetched all the same. */
import { expect, test } from 'vitest';
import { makeLengths } from '../../../../bench/field/crowd.ts';
import type { SimulatedNode } from '../../../../bench/field/simulated-node.ts';
import { bootingField } from './booting-field.ts';

const SEED = 7;

test('many neighbours that have nothing new take no place in what is fetched', () => {
  const lengths = makeLengths(64 << 20, 3);
  const { simulator, add, addHolder, held } = bootingField(lengths, SEED);
  const half = lengths.count >> 1;
  const holder = addHolder();
  // All machines of a room have filled to the same half, and go on.
  const others = Array.from({ length: 13 }, () => add([holder.address], { chunks: half }));
  simulator.run(40_000);
  const before = others.map(held);
  expect(Math.min(...before)).toBeGreaterThanOrEqual(half);
  simulator.run(90_000);
  expect(others.map(held)).toEqual(others.map(() => lengths.count));
});

test('a machine that reads without an end fills its memory beside that', () => {
  const lengths = makeLengths(64 << 20, 3);
  const { simulator, add, addHolder, held } = bootingField(lengths, SEED);
  const holder = addHolder();
  const node = add([holder.address]);
  let read = 1;
  const next = (): void => {
    // The same part of the image again and again, of which its memory keeps nothing: there is always something on order.
    const chunk = (read * 7) % 100;
    simulator.event(node, { kind: 'unheld', chunks: [{ start: chunk, end: chunk + 1 }] });
    simulator.event(node, { kind: 'read', read: read++, chunks: { start: chunk, end: chunk + 1 } });
  };
  simulator.onReady = () => simulator.at(simulator.now, next);
  simulator.at(2000, next);
  simulator.at(2001, next);
  simulator.at(2002, next);
  simulator.run(10_000);
  const after10 = held(node);
  simulator.run(60_000);
  // Four chunks in half a second, when it is asked for; a third of that at least.
  expect(held(node) - after10).toBeGreaterThan(120);
});

test('a part of an image for which there is a duty waits until the boot is over, too', () => {
  const lengths = makeLengths(64 << 20, 3);
  const { simulator, add, addHolder, held } = bootingField(lengths, SEED);
  const holder = addHolder();
  const nodes = [1, 2].map(() => add([holder.address], { keep: 24 << 20 }));
  for (let at = 0; at < 60_000; at += 1000)
    simulator.at(at, () => {
      for (const node of nodes) simulator.event(node, { kind: 'processors', others: 0.9 });
    });
  simulator.run(20_000);
  // A chunk in half a second.
  for (const node of nodes) expect(held(node)).toBeLessThan(60);
  simulator.run(61_000);
  simulator.event(nodes[0] as SimulatedNode, { kind: 'processors', others: 0 });
  simulator.event(nodes[1] as SimulatedNode, { kind: 'processors', others: 0 });
  simulator.run(120_000);
  for (const node of nodes) expect(held(node)).toBeGreaterThan(200);
});

test('a neighbour on a slow link does not slow down what comes from the others', () => {
  const lengths = makeLengths(64 << 20, 3);
  const { simulator, add, addHolder, held } = bootingField(lengths, SEED);
  const holder = addHolder();
  add([holder.address], { chunks: lengths.count, link: { up: 60_000, down: 12_500_000 } });
  add([holder.address], { chunks: lengths.count, link: { up: 60_000, down: 12_500_000 } });
  const node = add([holder.address]);
  simulator.run(32_000);
  const before = held(node);
  simulator.run(62_000);
  expect(held(node) - before).toBeGreaterThan(300);
});
