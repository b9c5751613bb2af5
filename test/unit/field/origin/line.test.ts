import { afterEach, expect, test, vi } from 'vitest';
import { collect } from '../../../../src/field/origin/line.ts';

afterEach(() => void vi.useRealTimers());

test('a request that cannot even be begun leaves nothing behind', async () => {
  vi.useFakeTimers();
  const collected = collect(100, () => {
    throw new Error('the session has been destroyed');
  });
  await expect(collected).rejects.toThrow('the session has been destroyed');
  expect(vi.getTimerCount()).toBe(0);
});

test('an answer that comes too slowly is given up, and its request ended', async () => {
  vi.useFakeTimers();
  const abort = vi.fn();
  const collected = collect(100, () => abort);
  collected.catch(() => {});
  vi.advanceTimersByTime(5000);
  await expect(collected).rejects.toThrow('no answer in 5 s');
  expect(abort).toHaveBeenCalledOnce();
  expect(vi.getTimerCount()).toBe(0);
});
