import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TokenBucket } from '../../../../src/field/shares/token-bucket.ts';

const step = fc.record({ waitMs: fc.nat(5000), cost: fc.nat(3000) });

test('whatever is asked of it and when, no more is spent than the rate gives and what was there at first', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 5000 }),
      fc.array(step),
      (rate, most, steps) => {
        const bucket = new TokenBucket(rate, most, 0);
        let now = 0;
        let spent = 0;
        for (const { waitMs, cost } of steps) {
          now += waitMs;
          if (bucket.spend(cost, now)) spent += cost;
          expect(bucket.left(now)).toBeGreaterThanOrEqual(0);
        }
        expect(spent).toBeLessThanOrEqual(most + (rate * now) / 1000 + 1e-6);
      },
    ),
  );
});

test('when it says that there is so much, there is, and not before', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 5000 }),
      fc.nat(9000),
      fc.nat(5000),
      (rate, most, taken, amount) => {
        const bucket = new TokenBucket(rate, most, 0);
        bucket.take(taken, 0);
        const at = bucket.whenLeft(amount, 0);
        if (amount > most) {
          expect(at).toBe(Number.POSITIVE_INFINITY);
          return;
        }
        if (at > 1) expect(bucket.left(at - 1)).toBeLessThan(amount);
        expect(bucket.left(at)).toBeGreaterThanOrEqual(amount - 1e-6);
      },
    ),
  );
});

test('a clock that goes back gives nothing', () => {
  const bucket = new TokenBucket(1000, 100, 500);
  bucket.take(100, 500);
  expect(bucket.left(0)).toBe(0);
  expect(bucket.left(550)).toBeCloseTo(50);
});
