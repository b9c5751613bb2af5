import { expect, test } from 'vitest';
import { sourceDate } from '../../../src/kit/source-date.ts';

test.each([
  [undefined, undefined],
  ['', undefined],
  ['0', 0],
  ['1700000000', 1_700_000_000],
  ['4294967295', 2 ** 32 - 1],
])('SOURCE_DATE_EPOCH=%s is %s', (text, seconds) => {
  expect(sourceDate({ SOURCE_DATE_EPOCH: text })).toBe(seconds);
});

test.each(['yesterday', '-1', '1.5', '1e9', ' 1', '0x10', '4294967296', '99999999999'])('%s is refused', (text) => {
  expect(() => sourceDate({ SOURCE_DATE_EPOCH: text })).toThrow(`SOURCE_DATE_EPOCH: '${text}' is no time in seconds`);
});
