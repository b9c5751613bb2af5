import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bucketOf, VTable } from '../../../../src/field/members/v-table.ts';
import { ChunkSet } from '../../../../src/field/wire/chunk-set.ts';
import {
  compareRecords,
  makeRecord,
  type NodeRecord,
  STATE_DOWN,
  STATE_LEAVING,
  STATE_UP,
} from '../../../../src/field/wire/record.ts';
import { LEVEL, levelOf, summarize } from '../../../../src/field/wire/summary.ts';

function record(node: number, life: number, version: number, state: number): NodeRecord {
  // What a node says is a function of (life, version): it never says two things at once.
  const set = new ChunkSet(64);
  set.addRange({ start: (life + version) % 32, end: 40 });
  const isDown = state === STATE_DOWN;
  const summary = summarize(isDown ? new ChunkSet(64) : set);
  return makeRecord({ node, life, version, state, address: '10.0.0.1:1', summary });
}

const anyRecord = fc
  .tuple(fc.nat(6), fc.nat(2), fc.nat(4), fc.constantFrom(STATE_UP, STATE_LEAVING, STATE_DOWN))
  .map(([node, life, version, state]) => record(node * 2 ** 40 + node, life, version, state));

function contents(table: VTable): unknown {
  const rows = [...table.rows()].sort((a, b) => a.node - b.node);
  return [rows, [...table.tombstones()].sort((a, b) => a.node - b.node), table.digest()];
}

/** The definition, without any cleverness. */
function expected(records: readonly NodeRecord[]): NodeRecord[] {
  const youngest = (node: number) => Math.max(...records.filter((r) => r.node === node).map((r) => r.life));
  const living = records.filter((r) => r.life === youngest(r.node));
  const newest = living.filter(
    (r) => r.state !== STATE_DOWN && !living.some((s) => s.node === r.node && compareRecords(s, r) > 0),
  );
  return [...new Map(newest.map((r) => [r.node, r])).values()].sort((a, b) => a.node - b.node);
}

test('any order of the same records, with repeats, ends in the same table, the one they define', () => {
  fc.assert(
    fc.property(
      fc.array(anyRecord, { maxLength: 40 }),
      fc.infiniteStream(fc.double({ noNaN: true })),
      (records, mess) => {
        const inOrder = new VTable();
        for (const each of records) inOrder.merge(each);
        const shuffled = [...records, ...records.slice(0, 10)]
          .map((each) => ({ each, rank: mess.next().value as number }))
          .sort((a, b) => a.rank - b.rank);
        const messy = new VTable();
        for (const { each } of shuffled) messy.merge(each);
        expect(contents(messy)).toEqual(contents(inOrder));
        expect([...inOrder.rows()].sort((a, b) => a.node - b.node)).toEqual(expected(records));
      },
    ),
    { numRuns: 500 },
  );
});

test('a table of thousands finds every row, also after half of them have gone', () => {
  const table = new VTable();
  const node = (i: number) => (i * 2_654_435_761) % 2 ** 47;
  for (let i = 1; i <= 5000; i++) table.merge(record(node(i), 1, 1, STATE_UP));
  for (let i = 1; i <= 5000; i += 2) table.merge(record(node(i), 1, 2, STATE_DOWN));
  expect(table.size).toBe(2500);
  for (let i = 1; i <= 5000; i++) expect(table.get(node(i)) !== undefined).toBe(i % 2 === 0);
});

test('a restarted node is a new life: what its old life said no longer counts', () => {
  const table = new VTable();
  table.merge(record(7, 1, 9, STATE_UP));
  expect(table.merge(record(7, 2, 0, STATE_UP))).toBe('news');
  expect(table.merge(record(7, 1, 10, STATE_UP))).toBe('stale');
  expect(table.get(7)?.life).toBe(2);
});

test('an old record does not bring a gone node back, a newer one of the same life does', () => {
  const table = new VTable();
  table.merge(record(7, 1, 3, STATE_UP));
  table.merge(record(7, 1, 3, STATE_DOWN));
  expect(table.get(7)).toBeUndefined();
  expect(table.merge(record(7, 1, 3, STATE_UP))).toBe('stale');
  expect(table.merge(record(7, 1, 4, STATE_UP))).toBe('news');
  expect(table.tombstone(7)).toBeUndefined();
});

test('whoever may hold a chunk is found, those that surely do first', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 20 }), fc.nat(63), (records, chunk) => {
      const table = new VTable();
      for (const each of records) table.merge(each);
      const likely = table.likelyHolders(chunk, 64).map(({ node }) => node);
      // Of so small an image each region is a chunk.
      const holders = table.rows().filter(({ summary }) => levelOf(summary, chunk) === LEVEL.all);
      expect(likely.sort((a, b) => a - b)).toEqual(holders.map(({ node }) => node).sort((a, b) => a - b));
    }),
  );
});

test('rows of one bucket and in all are bounded', () => {
  const table = new VTable();
  const merges = new Set<string>();
  let node = 1;
  for (let made = 0; made < 600; node++) {
    if (bucketOf(node) !== 7) continue;
    made++;
    merges.add(table.merge(record(node, 1, 1, STATE_UP)));
  }
  expect(table.size).toBe(512);
  expect(merges).toEqual(new Set(['news', 'full']));
});
