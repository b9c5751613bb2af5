import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReadQueue } from '../../../../../src/field/exchange/fetching/read-queue.ts';
import { ChunkSet } from '../../../../../src/field/wire/chunk-set.ts';

test('every read is ready exactly when its last chunk has come', () => {
  const anyReads = fc.array(fc.tuple(fc.nat(29), fc.integer({ min: 1, max: 8 })), { maxLength: 20 });
  fc.assert(
    fc.property(anyReads, fc.shuffledSubarray(Array.from({ length: 40 }, (_, i) => i)), (reads, arrivals) => {
      const held = new ChunkSet(40);
      const queue = new ReadQueue(held);
      const open = new Map<number, readonly [number, number]>();
      reads.forEach(([start, length], read) => {
        expect(queue.add(read, { start, end: start + length })).toBe(false);
        open.set(read, [start, start + length]);
      });
      for (const chunk of arrivals) {
        held.add(chunk);
        const ready = queue.arrived(chunk);
        for (const read of ready) {
          const [start, end] = open.get(read) as readonly [number, number];
          expect(held.countIn({ start, end })).toBe(end - start);
          open.delete(read);
        }
        for (const [start, end] of open.values()) expect(held.countIn({ start, end })).toBeLessThan(end - start);
      }
      expect(queue.length).toBe(open.size);
    }),
  );
});

test('a read that is given up is waited for no more', () => {
  const queue = new ReadQueue(new ChunkSet(10));
  queue.add(1, { start: 2, end: 4 });
  queue.add(2, { start: 3, end: 5 });
  queue.remove(1);
  expect(queue.waitsFor(2)).toBe(false);
  expect(queue.waitsFor(3)).toBe(true);
  expect(queue.arrived(3)).toEqual([]);
  expect(queue.arrived(4)).toEqual([2]);
});

test('the oldest read comes first, and a sequential reader is read ahead for, more with every read', () => {
  const queue = new ReadQueue(new ChunkSet(1000));
  queue.add(1, { start: 50, end: 52 });
  queue.add(2, { start: 10, end: 11 });
  expect([...queue.waitedChunks()]).toEqual([50, 51, 10]);
  expect(queue.window.count).toBe(3);
  queue.add(3, { start: 52, end: 54 });
  const after = queue.window.countIn({ start: 54, end: 1000 });
  expect(after).toBeGreaterThan(0);
  queue.add(4, { start: 54, end: 56 });
  expect(queue.window.countIn({ start: 56, end: 1000 })).toBeGreaterThan(after);
});

test('the chunks of a read are pinned until it is closed, and one that is lost meanwhile is waited for again', () => {
  const held = new ChunkSet(20);
  const queue = new ReadQueue(held);
  queue.add(1, { start: 3, end: 6 });
  queue.add(2, { start: 5, end: 7 });
  for (const chunk of [3, 4]) {
    held.add(chunk);
    expect(queue.arrived(chunk)).toEqual([]);
  }
  expect([...queue.pinned]).toEqual([3, 4, 5, 6]);
  held.delete(3);
  queue.lost(3);
  held.add(5);
  expect(queue.arrived(5)).toEqual([]);
  expect(queue.length).toBe(2);
  held.add(3);
  expect(queue.arrived(3)).toEqual([1]);
  expect(queue.length).toBe(1);
  queue.remove(1);
  expect([...queue.pinned]).toEqual([5, 6]);
  queue.remove(2);
  expect(queue.pinned.count).toBe(0);
  expect(queue.length).toBe(0);
});
