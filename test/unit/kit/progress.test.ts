import { expect, test } from 'vitest';
import { progressLine, withProgress } from '../../../src/kit/progress.ts';

test('a line says what is done, how much of it and how fast', () => {
  expect(progressLine('index', 120e6, 300e6, 480)).toBe('index: 120 of 300 MB, 40 %, 250 MB/s, 1 s left');
  expect(progressLine('index', 1e6, 300e6, 2000)).toBe('index: 1 of 300 MB, 0 %, 1 MB/s, 10 min left');
  expect(progressLine('pack', 120e6, undefined, 4000)).toBe('pack: 120 MB, 30 MB/s');
  expect(progressLine('index', 0, 300e6, 0)).toBe('index: 0 of 300 MB, 0 %, 0 MB/s');
  expect(progressLine('index', 0, 0, 10)).toBe('index: 0 of 0 MB, 100 %, 0 MB/s');
});

test('work gives its result, or its error, through the progress shown', async () => {
  expect(
    await withProgress('x', async (update) => {
      update(1, 2);
      return 7;
    }),
  ).toBe(7);
  await expect(withProgress('x', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
});
