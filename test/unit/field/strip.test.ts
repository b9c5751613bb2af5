import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeReadStrip, makeStrip } from '../../../src/field/strip.ts';
import { ChunkSet } from '../../../src/field/wire/chunk-set.ts';
import { anyBootOrder } from './arbitrary.ts';

test('nine is said only of all, nought only of nothing', () => {
  const held = new ChunkSet(1000);
  held.addRange({ start: 0, end: 500 });
  held.add(999);
  const { held: text, copies } = makeStrip(held, () => 2);
  expect(text).toMatch(/^9{128}0{127}[1-8]$/);
  expect(copies.slice(126, 130)).toEqual([3, 3, 2, 2]);
});

test('every chunk is in one part, and no part is empty', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3000 }), fc.array(fc.nat(3000)), (size, chunks) => {
      const held = new ChunkSet(size);
      for (const chunk of chunks) held.add(chunk);
      const { held: text, copies } = makeStrip(held, () => 0);
      expect(text).toHaveLength(Math.min(size, 256));
      expect(/^9*$/.test(text)).toBe(held.count === size);
      expect(/^0*$/.test(text)).toBe(held.count === 0);
      for (const least of copies) expect([0, 1]).toContain(least);
    }),
  );
});

test('the sooner a part is read the higher is its digit, and what is not read is nought', () => {
  const runs = [
    { start: 900, end: 904, boots: 1 },
    { start: 0, end: 8, boots: 1 },
    { start: 400, end: 404, boots: 1 },
  ];
  const { parts, boots, chunks } = makeReadStrip({ boots: 1, runs }, 1000);
  expect([boots, chunks]).toEqual([1, 16]);
  expect(parts).toMatch(/^7630{99}320{126}980{24}$/);
});

test('every chunk of a profile darkens the part of the strip in which it lies', () => {
  fc.assert(
    fc.property(anyBootOrder, fc.integer({ min: 2001, max: 9000 }), (order, count) => {
      const { parts } = makeReadStrip(order, count);
      const held = new ChunkSet(count);
      for (const { start, end } of order.runs) held.addRange({ start, end });
      const strip = makeStrip(held, () => 0).held;
      expect(parts).toHaveLength(256);
      expect([...parts].map((digit) => digit !== '0')).toEqual([...strip].map((digit) => digit !== '0'));
      expect(parts).toContain('9');
    }),
  );
});
