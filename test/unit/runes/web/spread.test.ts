import fc from 'fast-check';
import { expect, test } from 'vitest';
import { leastLoaded } from '../../../../src/runes/web/spread.ts';

const server = (base: string, transfers: number) => ({ base, transfers });

test('the one with the fewest files on their way gives the next; among equals another before oneself', () => {
  expect(leastLoaded(server('self', 0), []).base).toBe('self');
  expect(leastLoaded(server('self', 0), [server('a', 0), server('b', 0)]).base).toBe('a');
  expect(leastLoaded(server('self', 1), [server('a', 2), server('b', 3)]).base).toBe('self');
});

test('nobody has fewer than the chosen one', () => {
  fc.assert(
    fc.property(fc.nat(9), fc.array(fc.nat(9)), (own, loads) => {
      const others = loads.map((load, i) => server(`o${i}`, load));
      expect(leastLoaded(server('self', own), others).transfers).toBe(Math.min(own, ...loads));
    }),
  );
});
