import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { cached } from '../../../../src/runes/web/cached.ts';

test('however many ask at once, it is made once, and anew after a while', async () => {
  let made = 0;
  const ask = cached(50, async () => ++made);
  expect(await Promise.all(Array.from({ length: 100 }, ask))).toEqual(Array(100).fill(1));
  await sleep(80);
  expect(await ask()).toBe(2);
});

test('what failed is made anew at once', async () => {
  let made = 0;
  const ask = cached(60_000, async () => {
    if (++made === 1) throw new Error('not yet');
    return made;
  });
  await expect(ask()).rejects.toThrow('not yet');
  expect(await ask()).toBe(2);
});
