import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkSet } from '../../../../src/field/wire/chunk-set.ts';

const SIZE = 100;

type Step = readonly ['add' | 'delete', number] | readonly ['range', number, number];
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom('add' as const, 'delete' as const), fc.integer({ min: -5, max: SIZE + 5 })),
  fc.tuple(fc.constant('range' as const), fc.nat(SIZE), fc.nat(SIZE + 20)),
);

test('it is the set of numbers that were put in, whatever is done to it', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), fc.nat(SIZE), fc.nat(SIZE), (steps, start, end) => {
      const set = new ChunkSet(SIZE);
      const model = new Set<number>();
      const isIn = (chunk: number) => chunk >= 0 && chunk < SIZE;
      for (const [what, a, b = 0] of steps) {
        if (what === 'range') {
          set.addRange({ start: a, end: b });
          for (let chunk = a; chunk < b; chunk++) if (isIn(chunk)) model.add(chunk);
        } else if (what === 'add') expect(set.add(a)).toBe(isIn(a) && !model.has(a) && model.add(a) !== undefined);
        else expect(set.delete(a)).toBe(model.delete(a));
      }
      const sorted = [...model].sort((x, y) => x - y);
      expect([...set]).toEqual(sorted);
      expect(set.count).toBe(model.size);
      expect(set.countIn({ start, end })).toBe(sorted.filter((chunk) => chunk >= start && chunk < end).length);
      expect(set.next(start)).toBe(sorted.find((chunk) => chunk >= start) ?? -1);
      const missing = Array.from({ length: SIZE }, (_, chunk) => chunk).find(
        (chunk) => chunk >= start && !model.has(chunk),
      );
      expect(set.nextMissing(start)).toBe(missing ?? -1);
      const flat = [...set.ranges(start, end)].flatMap((range) =>
        Array.from({ length: range.end - range.start }, (_, i) => range.start + i),
      );
      expect(flat).toEqual(sorted.filter((chunk) => chunk >= start && chunk < end));
      expect([...set.copy()]).toEqual(sorted);
    }),
  );
});
