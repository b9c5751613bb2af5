import { expect, test } from 'vitest';
import { KeepPolicy } from '../../../../../src/field/exchange/keeping/keep-policy.ts';
import { ChunkSet } from '../../../../../src/field/wire/chunk-set.ts';

const lengths = { count: 10, size: 1000, length: () => 100 };
const counts = [0, 1, 5, 9, 9, 2, 3, 0, 1, 8];
const copies = (chunk: number): number => counts[chunk] ?? 0;

function policy(budget: number, held: readonly number[], free: readonly number[] = [], start = 0) {
  const set = new ChunkSet(10);
  const keep = new KeepPolicy(lengths, set, budget);
  for (const chunk of free) keep.setFree(chunk);
  held.forEach((chunk, i) => {
    set.add(chunk);
    keep.added(chunk, start + i * 1000);
  });
  return keep;
}
const nothing = new ChunkSet(10);

test('what is dropped first is what the field holds most of, and of that what was read longest ago', () => {
  const keep = policy(500, [1, 4, 3, 5, 2]);
  expect(keep.planRoom(0, false, copies, nothing)).toEqual([4]);
  expect(policy(300, [1, 4, 3, 5, 2]).planTrim(copies, nothing)).toEqual([4, 3]);
});

test('it is the same on a machine that runs for years, whose milliseconds have passed 32 bits', () => {
  for (const start of [2 ** 32 - 1500, 2 ** 33, 2 ** 36])
    expect(policy(500, [1, 4, 3, 5, 2], [], start).planRoom(0, false, copies, nothing)).toEqual([4]);
});

test('nothing is dropped for a chunk that the field has about as often', () => {
  expect(policy(200, [5, 2]).planRoom(6, false, copies, nothing)).toEqual([2]);
  expect(policy(200, [5, 1]).planRoom(6, false, copies, nothing)).toBeUndefined();
});

test('a chunk that one other holds, and so one failure would take, is worth one that two others hold', () => {
  expect(policy(200, [5, 1]).planRoom(8, false, copies, nothing)).toEqual([5]);
  expect(policy(200, [1]).planRoom(8, false, copies, nothing)).toEqual([]);
  expect(policy(100, [1]).planRoom(8, false, copies, nothing)).toBeUndefined();
});

test('what only this node has is not dropped for another', () => {
  expect(policy(200, [0, 7]).planRoom(3, true, copies, nothing)).toBeUndefined();
});

test('what a read needs takes the place of anything the field has elsewhere, but not of what is read next', () => {
  expect(policy(200, [1, 8]).planRoom(3, true, copies, nothing)).toEqual([1]);
  const pinned = new ChunkSet(10);
  pinned.add(1);
  expect(policy(200, [1, 8]).planRoom(3, true, copies, pinned)).toEqual([8]);
});

test('what lies on a local medium takes nothing of the budget and is never dropped', () => {
  const keep = policy(100, [3, 4, 1], [3, 4]);
  expect(keep.bytes).toBe(100);
  expect(keep.planRoom(5, true, copies, nothing)).toEqual([1]);
});
