import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstReadOf } from '../../../../src/image/profile/ranks.ts';

const SIZE = 60;

test('the first read of some spans is the least of all ranges that touch them', () => {
  const ranges = fc
    .uniqueArray(fc.integer({ min: 0, max: SIZE }), { minLength: 2, maxLength: 12 })
    .chain((cuts) => {
      const sorted = cuts.toSorted((a, b) => a - b);
      const spans = sorted.slice(1).map((end, i) => ({ start: sorted[i] ?? 0, end }));
      return fc.tuple(
        ...spans.map((span) => fc.record({ at: fc.nat(SIZE), isIn: fc.boolean() }).map((r) => ({ ...span, ...r }))),
      );
    })
    .map((all) => all.filter(({ isIn }) => isIn).map(({ start, end, at }) => ({ start, end, at, boots: 1 })));
  const span = fc
    .tuple(fc.nat(SIZE - 1), fc.integer({ min: 1, max: 20 }))
    .map(([start, length]) => ({ start, end: start + length }));
  fc.assert(
    fc.property(ranges, fc.array(span, { maxLength: 3 }), (given, spans) => {
      const touching = given.filter(({ start, end }) => spans.some((each) => each.start < end && each.end > start));
      const expected = touching.length === 0 ? undefined : Math.min(...touching.map(({ at }) => at));
      expect(firstReadOf({ image: undefined, size: SIZE, boots: 1, ranges: given })(spans)).toBe(expected);
    }),
  );
});
