import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFor, placeOf } from '../../../../src/runes/roll/whom.ts';
import { machineOf } from './releases.ts';

const ALL = Array.from({ length: 2000 }, (_, i) => machineOf(i * 7919, i % 4 === 0 ? 'class' : 'node'));
const share = (percent: number) => ({ kind: 'share' as const, percent });

test('a share of the machines is about that share of them, and a larger one has the same machines and more', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{1,10}$/), fc.integer({ min: 1, max: 99 }), (name, percent) => {
      const release = { name, for: [[share(percent)]] };
      const some = ALL.filter((machine) => isFor(release, machine));
      // five standard deviations of 2,000 draws
      expect(Math.abs(some.length / ALL.length - percent / 100)).toBeLessThan(0.056);
      const more = { name, for: [[share(percent + 1)]] };
      for (const machine of some) expect(isFor(more, machine)).toBe(true);
    }),
    { numRuns: 20 },
  );
  expect(ALL.every((machine) => isFor({ name: 'x', for: [[share(100)]] }, machine))).toBe(true);
});

test('two roll-outs do not begin with the same machines', () => {
  const both = ALL.filter(({ mac }) => placeOf('one', mac) < 0.5 && placeOf('two', mac) < 0.5).length;
  expect(both / ALL.length).toBeLessThan(0.3);
});

test('all words of a line must be about a machine, and one line is enough', () => {
  const machine = { mac: '52:54:00:12:34:56', hostname: 'PC-3', role: 'class' };
  const role = { kind: 'role' as const, name: 'class' };
  const host = { kind: 'host' as const, pattern: 'pc-?' };
  const other = { kind: 'mac' as const, pattern: 'aa:*' };
  const of = (...lines: Parameters<typeof isFor>[0]['for'][number][]) => isFor({ name: 'x', for: lines }, machine);
  expect([of([role]), of([host]), of([role, host]), of([role, other]), of([other], [host])]).toEqual([
    ...[true, true, true, false, true],
  ]);
  expect(of([{ kind: 'all' }])).toBe(true);
  expect(of([{ kind: 'mac', pattern: '52:54:00:*' }])).toBe(true);
});

test('the place of a machine is the one that the documentation computes', () => {
  // printf 'class\n52:54:00:12:34:56' | sha256sum
  expect(placeOf('class', '52:54:00:12:34:56')).toBeCloseTo(EXPECTED, 9);
});

/** By sha256sum and bc. */
const EXPECTED = 0x738e29d1 / 2 ** 32;
