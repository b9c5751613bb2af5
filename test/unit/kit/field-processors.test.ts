import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseProcessorTimes, shareOfOthers, watchProcessors } from '../../../src/kit/field/processors.ts';

const STAT = 'cpu  100 20 30 800 40 5 5 0 7 1\ncpu0 100 20 30 800 40 5 5 0 7 1\nintr 5 0 0\n';

test('what the processors did is the first line of /proc/stat; guests are in it already', () => {
  expect(parseProcessorTimes(STAT)).toEqual({ busy: 160, total: 1000 });
  expect(parseProcessorTimes('cpu 1 2 3\n')).toBeUndefined();
  expect(parseProcessorTimes('')).toBeUndefined();
});

test('the share of others leaves out what this process took, and idle time', () => {
  const before = { busy: 160, total: 1000 };
  expect(shareOfOthers(before, { busy: 250, total: 1100 }, 40)).toBe(0.5);
  expect(shareOfOthers(before, before, 0)).toBe(0);
  const count = fc.integer({ min: 0, max: 1e9 });
  fc.assert(
    fc.property(count, count, count, count, count, (busy, total, moreBusy, moreTotal, own) => {
      const share = shareOfOthers({ busy, total }, { busy: busy + moreBusy, total: total + moreTotal }, own);
      return share >= 0 && share <= 1;
    }),
  );
});

test('where /proc is gone, as late in a shutdown, the watch ends with a word and nothing else does', async () => {
  const told: number[] = [];
  const said: string[] = [];
  const tell = (others: number) => void told.push(others);
  const end = watchProcessors(tell, (line) => said.push(line), { stat: '/nowhere/stat', everyMs: 5 });
  await expect.poll(() => said.length, { timeout: 20_000 }).toBe(1);
  expect(said[0]).toContain('/nowhere/stat');
  expect(told).toEqual([0]);
  end();
});

test('this machine’s own processors are told of', async () => {
  const told: number[] = [];
  const end = watchProcessors((others) => told.push(others), expect.unreachable, { everyMs: 50 });
  await expect.poll(() => told.length, { timeout: 20_000 }).toBeGreaterThan(1);
  end();
  for (const others of told) expect(others >= 0 && others <= 1).toBe(true);
});
