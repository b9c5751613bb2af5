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

test('among many thousands, the next ones that are in it and that are not are found from anywhere', () => {
  const size = 5000;
  const run = fc.record({ start: fc.nat(size), length: fc.nat(2500), isIn: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(run, { maxLength: 12 }),
      fc.array(fc.nat(size - 1), { minLength: 20, maxLength: 20 }),
      (runs, from) => {
        const set = new ChunkSet(size);
        const model = new Uint8Array(size);
        for (const { start, length, isIn } of runs) {
          const end = Math.min(start + length, size);
          model.fill(isIn ? 1 : 0, start, end);
          if (isIn) set.addRange({ start, end });
          else for (let chunk = start; chunk < end; chunk++) set.delete(chunk);
        }
        for (const at of from) {
          expect(set.next(at)).toBe(model.indexOf(1, at));
          expect(set.nextMissing(at)).toBe(model.indexOf(0, at));
        }
        for (const [i, word] of set.words.entries()) {
          const [row, bit] = [i >>> 5, 1 << (i & 31)];
          expect(((set.any[row] as number) & bit) !== 0).toBe(word !== 0);
          expect(((set.full[row] as number) & bit) !== 0).toBe(word === 0xffffffff);
        }
        set.clear();
        expect([set.next(0), set.nextMissing(0)]).toEqual([-1, 0]);
      },
    ),
  );
});
