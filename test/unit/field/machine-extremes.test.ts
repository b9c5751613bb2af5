/** The machine with images of one chunk and of very many, and whatever peers, reads, disks and processors do meanwhile. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FieldEvent, Lengths } from '../../../src/field/event.ts';
import { FieldMachine } from '../../../src/field/machine.ts';
import { ChunkSet } from '../../../src/field/wire/chunk-set.ts';
import { packHoldings } from '../../../src/field/wire/holdings.ts';
import { anyFrame } from './arbitrary.ts';

/** Images: one chunk, of one byte or of many; as many as there are regions, and one more; a short last one; zeroes. */
const SHAPES: readonly { readonly count: number; readonly length: number; readonly last: number }[] = [
  { count: 1, length: 1, last: 1 },
  { count: 1, length: 16 << 20, last: 16 << 20 },
  { count: 2, length: 65_536, last: 1 },
  { count: 256, length: 65_536, last: 4096 },
  { count: 257, length: 4 << 20, last: 1 },
  { count: 3000, length: 1, last: 1 },
  { count: 100_000, length: 65_536, last: 7 },
];

function lengthsOf({ count, length, last }: (typeof SHAPES)[number]): Lengths {
  return {
    count,
    size: (count - 1) * length + last,
    length: (chunk) => (chunk === count - 1 ? last : length),
  };
}

/** An event as the edges give it, of an image with so many chunks: connections 1, 3 and 5 give, 2, 4 and 6 take. */
function anyEvent(count: number): fc.Arbitrary<FieldEvent> {
  const chunk = fc.oneof(fc.constantFrom(0, count - 1), fc.nat(count - 1));
  const conn = fc.constantFrom(1, 2, 3, 4, 5, 6);
  const range = fc.tuple(chunk, fc.integer({ min: 1, max: 40 })).map(([start, length]) => ({
    start,
    end: Math.min(count, start + length),
  }));
  const order = fc.uniqueArray(chunk, { maxLength: 300 });
  const runs = order.map((chunks) => chunks.map((start) => ({ start, end: start + 1, boots: 1 })));
  const none = fc.constant({});
  const of = <K extends FieldEvent['kind']>(kind: K, rest: fc.Arbitrary<object>): fc.Arbitrary<FieldEvent> =>
    rest.map((fields) => ({ kind, ...fields }) as unknown as FieldEvent);
  return fc.oneof(
    of('frame', fc.record({ conn, frame: anyFrame })),
    of(
      'frame',
      fc.record({ conn, frame: runs.map((found) => ({ kind: 'profile', boots: 1, runs: found.slice(0, 100) })) }),
    ),
    of('incoming', fc.record({ conn, chunk, chosen: fc.boolean() })),
    of('chunk', fc.record({ conn, chunk, good: fc.boolean() })),
    of('origin', fc.record({ chunk, good: fc.boolean() })),
    of('read', fc.record({ read: fc.nat(20), chunks: range })),
    of('unread', fc.record({ read: fc.nat(20) })),
    of('agenda', fc.record({ order })),
    of('first read', fc.record({ chunk })),
    of('seek profile', none),
    of('give profile', fc.record({ order: runs.map((found) => ({ boots: 1, runs: found })) })),
    of('processors', fc.record({ others: fc.double({ min: 0, max: 1 }) })),
    of('unheld', fc.record({ chunks: fc.array(range, { maxLength: 3 }) })),
    of('found', fc.record({ chunks: fc.array(chunk, { maxLength: 20 }) })),
    of('unwritten', fc.record({ chunk })),
    of('behind', fc.record({ isBehind: fc.boolean() })),
    of('closed', fc.record({ conn, why: fc.constant('x'), hostile: fc.boolean() })),
    of('preheat', none),
    of('wake', none),
    of('wake', none),
  );
}

test.each(SHAPES)('an image of $count chunks of $length bytes: nothing that happens ends the machine', (shape) => {
  const lengths = lengthsOf(shape);
  const { count } = lengths;
  const keep = fc.constantFrom(0, 1, Math.ceil(lengths.size / 2), Number.MAX_SAFE_INTEGER);
  /** Beside what may happen at any time: sources come, and give what they were asked for. */
  const honest = fc.constantFrom('come' as const, 'give' as const);
  const what = fc.oneof(honest, anyEvent(count));
  const steps = fc.array(fc.tuple(what, fc.nat(1500)), { maxLength: 120 });
  let given = 0;
  fc.assert(
    fc.property(keep, fc.boolean(), steps, (budget, hasOrigin, events) => {
      const machine = new FieldMachine({
        field: '00112233445566ff',
        node: 7,
        life: 1000,
        address: '10.0.0.7:20070',
        peers: [],
        multicast: false,
        random: () => 0.3,
        cookie: () => new Uint8Array(8),
        keep: budget,
        fill: true,
        readsFirst: true,
        hasOrigin,
      });
      let now = 1;
      const feed = (event: FieldEvent): void => {
        machine.handle(event, now);
        const wakeAt = machine.nextWake();
        expect(Number.isNaN(wakeAt)).toBe(false);
      };
      feed({ kind: 'start' });
      feed({ kind: 'layout', lengths, held: [], free: false });
      const window = packHoldings(ChunkSet.full(count), { start: 0, end: count });
      let next = 1;
      const come = (): void => {
        const conn = next;
        next += 2;
        feed({ kind: 'connected', conn, node: 100 + conn, address: `10.1.${conn >> 8}.${conn & 255}:20070` });
        feed({ kind: 'frame', conn, frame: { kind: 'holdings', window } });
      };
      for (let i = 0; i < 3; i++) come();
      for (const conn of [2, 4, 6]) feed({ kind: 'accepted', conn, node: 100 + conn, address: `10.0.2.${conn}:20070` });
      for (const [event, later] of events) {
        now += later;
        if (event === 'come') come();
        else if (event === 'give') {
          for (const { conn, orders, choices, has } of [...(machine.data?.fetcher.sources.values() ?? [])]) {
            const chunk = choices > 0 ? has.next(later % count) : [...orders.keys()][0];
            if (chunk === undefined || chunk < 0) continue;
            feed({ kind: 'incoming', conn, chunk, chosen: choices > 0 });
            feed({ kind: 'chunk', conn, chunk, good: true });
            given++;
          }
        } else feed(event);
        const data = machine.data;
        if (data === undefined) throw new Error('no data');
        expect(data.keep.bytes).toBeGreaterThanOrEqual(0);
        expect(data.announced.count).toBeLessThanOrEqual(data.held.count);
        let spare = 0;
        for (const { bytesOnOrder, spareOrders, spareChoices, choices, orders } of data.fetcher.sources.values()) {
          expect(bytesOnOrder).toBeGreaterThanOrEqual(0);
          expect(spareOrders).toBe([...orders.values()].filter(({ isSpare }) => isSpare).length);
          expect(spareChoices).toBeGreaterThanOrEqual(0);
          expect(spareChoices).toBeLessThanOrEqual(choices);
          spare += spareOrders + spareChoices;
        }
        expect(data.fetcher.spareOnOrder(now)).toBeLessThanOrEqual(spare);
      }
    }),
    { numRuns: count > 10_000 ? 15 : 60 },
  );
  expect(given).toBeGreaterThan(0);
});
