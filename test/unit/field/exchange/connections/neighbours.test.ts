import { expect, test } from 'vitest';
import { Neighbours } from '../../../../../src/field/exchange/connections/neighbours.ts';
import { VTable } from '../../../../../src/field/members/v-table.ts';
import { ChunkSet } from '../../../../../src/field/wire/chunk-set.ts';
import { makeRecord, type NodeId, STATE_UP } from '../../../../../src/field/wire/record.ts';
import { summarize, UNKNOWN } from '../../../../../src/field/wire/summary.ts';

const CHUNKS = 10;
const all = new ChunkSet(CHUNKS);
for (let chunk = 0; chunk < CHUNKS; chunk++) all.add(chunk);

const addressOf = (node: NodeId): string => `10.0.0.${node}:20070`;

function makeBeginner() {
  const table = new VTable();
  const neighbours = new Neighbours(
    table,
    1,
    () => 0,
    () => false,
  );
  return {
    join(node: NodeId, hasIndex: boolean): void {
      const summary = hasIndex ? summarize(all) : UNKNOWN;
      const address = addressOf(node);
      const record = makeRecord({ node, life: 1, version: 1, state: STATE_UP, address, summary });
      table.merge(record);
      neighbours.appeared(record, true);
    },
    dialled: (now: number): string[] => neighbours.plan(undefined, now).map(({ address }) => address),
  };
}

test('who waits for the index dials the first one that has it, without delay', () => {
  const { join, dialled } = makeBeginner();
  for (const node of [2, 3, 4]) join(node, false);
  expect(dialled(1000)).toEqual([]);
  join(5, true);
  expect(dialled(1001)).toEqual([addressOf(5)]);
});

test('who waits for the index asks two at most', () => {
  const { join, dialled } = makeBeginner();
  for (const node of [2, 3, 4]) join(node, true);
  expect(dialled(1000)).toHaveLength(2);
  expect(dialled(2000)).toEqual([]);
});
