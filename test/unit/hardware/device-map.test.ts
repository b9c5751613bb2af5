import { expect, test } from 'vitest';
import { parseMap } from '../../../src/hardware/device-map.ts';

test('numbers are read by the columns wanted, what follows is not', () => {
  expect(parseMap('  one 0x10 2 0xffffffff\n# two 1 2\n\n', 2, 'map', [])).toEqual([
    { module: 'one', numbers: [16, 2] },
  ]);
});

test('a number too large for its column is a problem', () => {
  const problems: string[] = [];
  expect(parseMap('one 0x123456789 1\n', 2, 'map', problems)).toEqual([]);
  expect(problems).toEqual(["map:1: not a module and 2 numbers: 'one 0x123456789 1'"]);
});
