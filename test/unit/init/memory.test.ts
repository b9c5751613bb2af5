import { expect, test } from 'vitest';
import { warnOfLittleMemory } from '../../../src/init/memory.ts';

test('512 MB, some of them the screen’s, are enough; less is told', () => {
  expect(warnOfLittleMemory(468_412 * 1024)).toBeUndefined();
  expect(warnOfLittleMemory(2 ** 32)).toBeUndefined();
  expect(warnOfLittleMemory(300 * 2 ** 20)).toBe(
    'this machine has 300 MB of memory, and 512 are needed for most systems: it may not come to its login',
  );
});
