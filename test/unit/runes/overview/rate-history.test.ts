import { array, assert, nat, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { RATES_KEPT, RateHistory } from '../../../../src/runes/overview/rate-history.ts';

test('bytes per second between two looks at the counters', () => {
  const history = new RateHistory();
  history.take({ in: 1000, out: 0 }, 0);
  expect(history.rates.in).toEqual([]);
  history.take({ in: 6000, out: 500 }, 5000);
  expect(history.rates).toEqual({ everySeconds: 5, in: [1000], out: [100] });
});

test('a counter that began anew counts from nothing, and a late look is spread over its time', () => {
  const history = new RateHistory();
  history.take({ in: 9e9, out: 0 }, 0);
  history.take({ in: 500, out: 0 }, 5000);
  expect(history.rates.in).toEqual([100]);
  history.take({ in: 2000, out: 0 }, 20_000);
  expect(history.rates.in).toEqual([100, 100, 100, 100]);
});

test('whatever the counters do, rates are whole, never below nothing, and no more than are kept', () => {
  assert(
    property(array(record({ in: nat(), out: nat(), ms: nat(100_000) })), (looks) => {
      const history = new RateHistory();
      let nowMs = 0;
      for (const { ms, ...counters } of looks) {
        nowMs += ms;
        history.take(counters, nowMs);
      }
      const { in: into, out } = history.rates;
      expect(into.length).toBe(out.length);
      expect(into.length).toBeLessThanOrEqual(RATES_KEPT);
      expect([...into, ...out].every((rate) => Number.isSafeInteger(rate) && rate >= 0)).toBe(true);
    }),
  );
});
