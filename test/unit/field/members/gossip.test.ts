import { expect, test } from 'vitest';
import type { Action } from '../../../../src/field/event.ts';
import { Gossip } from '../../../../src/field/members/gossip.ts';
import { ChunkSet } from '../../../../src/field/wire/chunk-set.ts';
import { makeRecord, STATE_UP } from '../../../../src/field/wire/record.ts';
import { emptySummary } from '../../../../src/field/wire/summary.ts';

const SELF = 1;

/** A gossip among so many other members, in a field of an image of so many chunks. */
function gossip(others: number, chunks: number) {
  const made = new Gossip(
    {
      field: '00112233445566ff',
      node: SELF,
      life: 1000,
      address: '10.0.0.1:20070',
      peers: [],
      multicast: false,
      random: () => 0.5,
      cookie: () => new Uint8Array(8),
    },
    { isHeard: () => true, onUp: () => {}, onDown: () => {} },
  );
  const held = new ChunkSet(chunks);
  made.start(0, []);
  made.holdsIn(chunks, held, 0, 0);
  for (let node = 2; node < others + 2; node++) {
    const address = `10.0.1.${node}:20070`;
    const summary = emptySummary(chunks);
    made.table.merge(makeRecord({ node, life: 1, version: 1, state: STATE_UP, address, summary }));
  }
  return { made, held };
}

/** The first moment, in ms, at which what is held shows in the table. */
function publishedAt(made: Gossip, count: number): number {
  for (let now = 0; now <= 20_000; now += 50) {
    const out: Action[] = [];
    made.wake(now, out);
    if (made.table.get(SELF)?.summary.count === count) return now;
  }
  return Number.POSITIVE_INFINITY;
}

test('a small field hears of what a node has gained within two seconds, a large one less often', () => {
  for (const [others, least, most] of [
    [3, 1900, 2100],
    [49, 7000, 8000],
    [400, 9900, 10_100],
  ] as const) {
    const { made, held } = gossip(others, 100);
    held.add(7);
    made.changed(false);
    const at = publishedAt(made, 1);
    expect(at).toBeGreaterThanOrEqual(least);
    expect(at).toBeLessThanOrEqual(most);
  }
});

test('that something is gone is told within two seconds in a large field too, whatever was gained before', () => {
  const { made, held } = gossip(400, 100);
  held.add(7);
  made.changed(false);
  made.changed(true);
  expect(publishedAt(made, 1)).toBeLessThanOrEqual(2100);
});

test('a node it is told of while it runs is sent a Join until it is in the table; one that is there is not', () => {
  const { made } = gossip(1, 10);
  const joins = (act: (out: Action[]) => void) => {
    const out: Action[] = [];
    act(out);
    return out.flatMap((action) => (action.kind === 'send' && action.datagram.kind === 'join' ? [action.to] : []));
  };
  expect(joins((out) => made.hearOf('10.0.1.2:20070', 1000, out))).toEqual([]);
  expect(joins((out) => made.hearOf('10.0.0.1:20070', 1000, out))).toEqual([]);
  expect(joins((out) => made.hearOf('10.0.2.7:20070', 1000, out))).toEqual(['10.0.2.7:20070']);
  expect(joins((out) => made.hearOf('10.0.2.7:20070', 1000, out))).toEqual([]);
  expect(joins((out) => made.wake(40_000, out))).toContain('10.0.2.7:20070');
  // Anybody on this machine may name many: the last ones are called.
  for (let host = 1; host <= 100; host++) made.hearOf(`10.0.3.${host}:20070`, 41_000, []);
  const called = joins((out) => made.wake(100_000, out));
  expect(called).toHaveLength(16);
  expect(called).toContain('10.0.3.100:20070');
});
