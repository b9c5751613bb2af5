import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineLimit } from '../../../src/codec/line-limit.ts';

test('beyond a burst lines are left out and counted, and come again with time', () => {
  const limit = new LineLimit({ burst: 2, perSecond: 0.5 });
  expect(['a', 'b', 'c', 'd'].map((line) => limit.take(line, 0))).toEqual(['a', 'b', undefined, undefined]);
  expect(limit.take('e', 1000)).toBeUndefined();
  expect(limit.take('f', 2000)).toBe('f (3 lines before this one are left out)');
  expect(['g', 'h'].map((line) => limit.take(line, 60_000))).toEqual(['g', 'h']);
});

test('however they come, no more are written than burst and rate allow, and none is lost without being counted', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3000)), (pauses) => {
      const limit = new LineLimit({ burst: 5, perSecond: 2 });
      let nowMs = 0;
      let written = 0;
      let told = 0;
      for (const ms of pauses) {
        nowMs += ms;
        const line = limit.take('x', nowMs);
        if (line === undefined) continue;
        written++;
        told += 1 + Number(/\((\d+) lines/.exec(line)?.[1] ?? 0);
      }
      expect(written).toBeLessThanOrEqual(5 + (2 * nowMs) / 1000);
      expect(limit.take('end', nowMs + 60_000)).toBe(
        told === pauses.length ? 'end' : `end (${pauses.length - told} lines before this one are left out)`,
      );
    }),
  );
});
