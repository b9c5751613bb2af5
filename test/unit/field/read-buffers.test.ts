import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReadBuffers } from '../../../src/field/read-buffers.ts';

test('no two that are out lie in the same memory, whatever is given back', () => {
  const step = fc.record({ length: fc.integer({ min: 1, max: 2 << 20 }), back: fc.option(fc.nat(50)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const buffers = new ReadBuffers();
      const out: Uint8Array[] = [];
      for (const { length, back } of steps) {
        const taken = buffers.take(length);
        expect(taken.length).toBe(length);
        expect(out.some(({ buffer }) => buffer === taken.buffer)).toBe(false);
        out.push(taken);
        const [given] = back === null ? [] : out.splice(back, 1);
        if (given === undefined) continue;
        buffers.giveBack(given);
        // Twice is once, and what is somebody else's stays so.
        buffers.giveBack(given);
        buffers.giveBack(new Uint8Array(8192));
      }
    }),
    { numRuns: 50 },
  );
});

test('memory is used again, but not hoarded', () => {
  const buffers = new ReadBuffers();
  const first = buffers.take(200_000);
  buffers.giveBack(first);
  expect(buffers.take(150_000).buffer).toBe(first.buffer);
  const many = Array.from({ length: 64 }, () => buffers.take(1 << 20));
  const memory = new Set(many.map(({ buffer }) => buffer));
  for (const each of many) buffers.giveBack(each);
  const again = Array.from({ length: 64 }, () => buffers.take(1 << 20));
  expect(again.filter(({ buffer }) => memory.has(buffer))).toHaveLength(8);
});
