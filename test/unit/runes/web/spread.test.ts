import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FieldStatus } from '../../../../src/field/status.ts';
import { holdsAll, leastLoaded } from '../../../../src/runes/web/spread.ts';

const server = (base: string, transfers: number, isWhole = true) => ({ base, transfers, isWhole });

test('the one with the fewest files on their way gives the next; among equals another before oneself', () => {
  expect(leastLoaded(server('self', 0), []).base).toBe('self');
  expect(leastLoaded(server('self', 0), [server('a', 0), server('b', 0)]).base).toBe('a');
  expect(leastLoaded(server('self', 1), [server('a', 2), server('b', 3)]).base).toBe('self');
});

test('one that has not all of the image yet is taken when all others have two files more to send', () => {
  expect(leastLoaded(server('self', 0), [server('new', 0, false)]).base).toBe('self');
  expect(leastLoaded(server('self', 1), [server('new', 0, false), server('a', 1)]).base).toBe('a');
  expect(leastLoaded(server('self', 3), [server('new', 0, false), server('a', 3)]).base).toBe('new');
  expect(leastLoaded(server('self', 0, false), [server('new', 0, false)]).base).toBe('new');
});

test('a machine is whole when the node at its address holds every chunk', () => {
  const field = {
    image: { chunks: 300 },
    node: { address: '10.0.0.1:20070', held: 300 },
    peers: [
      { address: '10.0.0.2:20070', held: 299 },
      { address: '10.0.0.3:20071', held: 300 },
    ],
  } as unknown as FieldStatus;
  const whole = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'].map((host) => holdsAll(field, host));
  expect(whole).toEqual([true, false, true, false]);
});

test('nobody has fewer than the chosen one', () => {
  fc.assert(
    fc.property(fc.nat(9), fc.array(fc.nat(9)), (own, loads) => {
      const others = loads.map((load, i) => server(`o${i}`, load));
      expect(leastLoaded(server('self', own), others).transfers).toBe(Math.min(own, ...loads));
    }),
  );
});
