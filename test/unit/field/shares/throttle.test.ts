import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Throttle } from '../../../../src/field/shares/throttle.ts';

test('without a limit anything goes at once', () => {
  const throttle = new Throttle();
  throttle.took(1e12, 0);
  expect(throttle.isOpen('advance', 1e12, 0)).toBe(true);
  expect(throttle.opensAt('advance', 1e12, 0)).toBe(Number.POSITIVE_INFINITY);
});

test('what is fetched in advance leaves half of a burst to what a read waits for', () => {
  const throttle = new Throttle();
  throttle.set(1 << 20, 0);
  throttle.took(140 << 10, 0);
  expect(throttle.isOpen('advance', 0, 0)).toBe(false);
  expect(throttle.isOpen('read', 0, 0)).toBe(true);
  expect(throttle.isOpen('read', 200 << 10, 0)).toBe(false);
});

test('when it says that it opens it does', () => {
  const need = fc.constantFrom('read' as const, 'advance' as const);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), fc.nat(1e8), fc.nat(1e6), need, (rate, taken, onOrder, kind) => {
      const throttle = new Throttle();
      throttle.set(rate, 0);
      throttle.took(taken, 0);
      const at = throttle.opensAt(kind, onOrder, 0);
      if (at === Number.POSITIVE_INFINITY) return;
      expect(throttle.isOpen(kind, onOrder, 0)).toBe(false);
      expect(throttle.isOpen(kind, onOrder, at + 1 + 1000 / rate)).toBe(true);
    }),
  );
});
