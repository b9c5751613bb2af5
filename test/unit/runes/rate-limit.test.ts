import { array, assert, constantFrom, nat, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { logOfAskers, RateLimit } from '../../../src/runes/rate-limit.ts';

test('an address has its burst, then so many a second, and others have theirs', () => {
  const limit = new RateLimit({ burst: 3, perSecond: 2 });
  const ask = (address: string, nowMs: number) => limit.allow(address, nowMs);
  expect([0, 0, 0, 0].map((nowMs) => ask('a', nowMs))).toEqual([true, true, true, false]);
  expect(ask('b', 0)).toBe(true);
  expect([400, 500, 600, 1000].map((nowMs) => ask('a', nowMs))).toEqual([false, true, false, true]);
});

test('nobody gets more than burst and rate allow, however the questions come', () => {
  assert(
    property(array(record({ address: constantFrom('a', 'b'), ms: nat(2000) })), (questions) => {
      const limit = new RateLimit({ burst: 5, perSecond: 3 });
      let nowMs = 0;
      const got: Record<string, number> = {};
      for (const { address, ms } of questions) {
        nowMs += ms;
        if (limit.allow(address, nowMs)) got[address] = (got[address] ?? 0) + 1;
      }
      for (const count of Object.values(got)) expect(count).toBeLessThanOrEqual(5 + (3 * nowMs) / 1000);
    }),
  );
});

test('who asks for ever fills no log, and others are told of', () => {
  const lines: string[] = [];
  const tell = logOfAskers((line) => lines.push(line));
  for (let i = 0; i < 1000; i++) tell(`question ${i}`, '10.0.0.66');
  tell('a machine boots', '10.0.0.7');
  expect(lines.length).toBe(21);
  expect(lines.at(-1)).toBe('a machine boots');
});
