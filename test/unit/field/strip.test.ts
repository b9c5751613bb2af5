import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeStrip } from '../../../src/field/strip.ts';
import { ChunkSet } from '../../../src/field/wire/chunk-set.ts';

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
