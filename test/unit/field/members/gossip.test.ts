import { expect, test } from 'vitest';
import type { Action } from '../../../../src/field/event.ts';
import { Gossip } from '../../../../src/field/members/gossip.ts';
import { ChunkSet } from '../../../../src/field/wire/chunk-set.ts';
import { emptyHoldings } from '../../../../src/field/wire/holdings.ts';
import { makeRecord, partRange, STATE_UP } from '../../../../src/field/wire/record.ts';

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
  made.holdsIn(chunks, held, 0);
  const { start, end } = partRange(chunks, 0);
  for (let node = 2; node < others + 2; node++) {
    const address = `10.0.1.${node}:20070`;
    const holdings = emptyHoldings(start, end - start);
    made.table.merge(makeRecord({ node, life: 1, version: 1, state: STATE_UP, address, part: 0, holdings }));
  }
  return { made, held };
}

/** The first moment, in ms, at which what is held shows in the table. */
function publishedAt(made: Gossip, count: number): number {
  for (let now = 0; now <= 20_000; now += 50) {
    const out: Action[] = [];
    made.wake(now, out);
    if (made.table.heldBy(SELF) === count) return now;
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

test('of an image of several parts only those that changed are published, and the first', () => {
  const chunks = 10_000;
  const { made, held } = gossip(3, chunks);
  const before = [0, 1, 2].map((part) => made.table.get(SELF, part)?.version ?? 0);
  held.add(partRange(chunks, 2).start);
  made.changed(false);
  publishedAt(made, 1);
  const after = [0, 1, 2].map((part) => made.table.get(SELF, part)?.version ?? 0);
  expect(after.map((version, part) => version > (before[part] ?? 0))).toEqual([true, false, true]);
});
