import { expect, test } from 'vitest';
import { makeLengths } from '../../../../bench/field/crowd.ts';
import { Simulator } from '../../../../bench/field/simulator.ts';

const LINK = { up: 12_500_000, down: 12_500_000 };

/**
 * A node that keeps all and reads chunks that it has not, one after the other, here and there, 10 ms of work after each.
 * Gives the milliseconds that reads took, shortest first, and how many chunks were held before and after them.
 */
function readOneByOne(count: number): { took: number[]; heldBefore: number; held: number; chunks: number } {
  const lengths = makeLengths(256 << 20, 1);
  const simulator = new Simulator({ seed: 1, lengths, latencyMs: 0.5, isStrict: true });
  const holder = simulator.add(LINK, [], Number.MAX_SAFE_INTEGER, true);
  const all = Array.from({ length: lengths.count }, (_, i) => i);
  simulator.event(holder, { kind: 'layout', lengths, held: all, free: true });
  simulator.event(holder, { kind: 'start' });
  const node = simulator.add(LINK, [holder.address], Number.MAX_SAFE_INTEGER, false);
  simulator.event(node, { kind: 'start' });
  simulator.run(1000);
  const heldBefore = node.machine.data?.held.count ?? 0;
  const took: number[] = [];
  let asked = 0;
  const next = (read: number): void => {
    let start = (read * 1237) % lengths.count;
    while (node.machine.data?.held.has(start)) start = (start + 1) % lengths.count;
    asked = simulator.now;
    simulator.event(node, { kind: 'read', read, chunks: { start, end: start + 1 } });
  };
  simulator.onReady = (_, read) => {
    took.push(simulator.now - asked);
    if (read < count) simulator.at(simulator.now + 10, () => next(read + 1));
  };
  next(1);
  simulator.run(60_000, () => took.length === count);
  return {
    took: took.sort((a, b) => a - b),
    heldBefore,
    held: node.machine.data?.held.count ?? 0,
    chunks: lengths.count,
  };
}

test('beside one who waits for each read before the next, memory is filled in bursts with rests', () => {
  const { took, heldBefore, held, chunks } = readOneByOne(40);
  // A chunk of 64 KiB takes 5 ms on this link, a burst of others before it 60; filled without rests, most waited for 250.
  expect(took[took.length >> 1]).toBeLessThan(40);
  expect(took.at(-1)).toBeLessThan(150);
  expect(held).toBeGreaterThan(heldBefore + 100);
  expect(held).toBeLessThan(chunks);
});
