import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatLimits, parseLimits } from '../../../../src/field/shares/limits.ts';

test('UP[/DOWN] is read with its suffixes, and what is left away is no limit', () => {
  expect(parseLimits('10M')).toEqual({ upBytesPerSecond: 10 << 20, downBytesPerSecond: undefined });
  expect(parseLimits('none/512K')).toEqual({ upBytesPerSecond: undefined, downBytesPerSecond: 512 << 10 });
  expect(parseLimits('1g/1')).toEqual({ upBytesPerSecond: 2 ** 30, downBytesPerSecond: 1 });
});

test.each(['', '/', '0', '10M/', '/10M', '10/20/30', '-1', '1.5M', '10MB', 'all'])("'%s' is refused", (text) => {
  expect(() => parseLimits(text)).toThrow(/is no number of bytes per second|is not UP/);
});

test('what is written is read back', () => {
  const rate = fc.option(fc.integer({ min: 1, max: 2 ** 40 }), { nil: undefined });
  fc.assert(
    fc.property(rate, rate, (upBytesPerSecond, downBytesPerSecond) => {
      const limits = { upBytesPerSecond, downBytesPerSecond };
      expect(parseLimits(formatLimits(limits))).toEqual(limits);
    }),
  );
});
