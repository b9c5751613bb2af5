import { expect, test } from 'vitest';
import { Handover } from '../../../../../src/field/exchange/keeping/handover.ts';
import { VTable } from '../../../../../src/field/members/v-table.ts';
import { ChunkSet } from '../../../../../src/field/wire/chunk-set.ts';
import { makeRecord, STATE_DOWN, STATE_LEAVING, STATE_UP } from '../../../../../src/field/wire/record.ts';
import { summarize } from '../../../../../src/field/wire/summary.ts';

const CHUNKS = 100;
const half = new ChunkSet(CHUNKS);
half.addRange({ start: 0, end: 50 });

test('who says for ever that it leaves, or again and again, hurries nobody for longer than a leave takes', () => {
  const table = new VTable();
  const handover = new Handover(table, 1);
  let version = 0;
  const says = (state: number, summary = summarize(half)): void => {
    const address = '10.0.0.9:20070';
    table.merge(makeRecord({ node: 9, life: 1, version: ++version, state, address, summary }));
  };
  says(STATE_UP);
  expect(handover.isOn(CHUNKS, 0)).toBe(false);
  says(STATE_LEAVING);
  expect(handover.isOn(CHUNKS, 1000)).toBe(true);
  says(STATE_LEAVING);
  expect(handover.isOn(CHUNKS, 30_000)).toBe(true);
  expect(handover.isOn(CHUNKS, 46_001)).toBe(false);
  for (let now = 47_000; now < 600_000; now += 1000) {
    says(now % 2000 === 0 ? STATE_UP : STATE_LEAVING);
    expect(handover.isOn(CHUNKS, now)).toBe(false);
  }
  // It has really gone, and was there again.
  says(STATE_DOWN);
  expect(handover.isOn(CHUNKS, 601_000)).toBe(false);
  table.forgetTombstone(9);
  says(STATE_LEAVING);
  expect(handover.isOn(CHUNKS, 602_000)).toBe(true);
});
