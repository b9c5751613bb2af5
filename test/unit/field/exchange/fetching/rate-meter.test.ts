import { expect, test } from 'vitest';
import { RateMeter } from '../../../../../src/field/exchange/fetching/rate-meter.ts';

test('a steady rate is met, and one from before a pause is forgotten', () => {
  const meter = new RateMeter();
  for (let now = 100; now <= 5000; now += 100) meter.add(100_000, now);
  expect(meter.bytesPerSecond).toBeGreaterThan(900_000);
  expect(meter.bytesPerSecond).toBeLessThan(1_100_000);
  meter.add(100_000, 15_000);
  expect(meter.bytesPerSecond).toBeLessThan(40_000);
});
