import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createChunkIndex } from '../../../../src/image/chunk-index.ts';
import {
  type ChunkRuns,
  chunkRuns,
  isBoot,
  passedOn,
  profileOfRuns,
} from '../../../../src/image/profile/chunk-runs.ts';
import { chunkOrder } from '../../../../src/image/profile/order.ts';
import type { BootProfile } from '../../../../src/image/profile/profile.ts';

/** 100 chunks of 1000 to 1099 bytes. */
const CHUNKS = 100;
let end = 0;
const ends = Float64Array.from({ length: CHUNKS }, (_, i) => {
  end += 1000 + i;
  return end;
});
const index = createChunkIndex(ends, new Uint8Array(32 * CHUNKS));

const boot = (chunks: readonly number[], boots = 1): BootProfile =>
  profileOfRuns({ boots, runs: chunks.map((chunk) => ({ start: chunk, end: chunk + 1, boots })) }, index);

const chunksOf = ({ runs }: ChunkRuns): number[] =>
  runs.flatMap((run) => Array.from({ length: run.end - run.start }, (_, i) => run.start + i));

const given = (runs: ChunkRuns): BootProfile => profileOfRuns(runs, index);

test('a profile by chunks has them in the order of the first read, each with the boots that read any of it', () => {
  const ranges = [
    { start: index.start(7) + 10, end: index.start(7) + 20, boots: 1, at: 0 },
    { start: index.start(2) + 500, end: index.start(4) + 1, boots: 2, at: 10 },
    { start: index.start(7) + 30, end: index.start(7) + 40, boots: 3, at: 2000 },
  ];
  expect(chunkRuns({ image: index.id, size: index.size, boots: 3, ranges }, index)).toEqual({
    boots: 3,
    runs: [
      { start: 7, end: 8, boots: 3 },
      { start: 2, end: 5, boots: 2 },
    ],
  });
});

test('what goes to others comes back as the same order', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(CHUNKS - 1), { minLength: 1 }), (chunks) => {
      const runs = chunkRuns(boot(chunks), index);
      expect(chunksOf(runs)).toEqual(chunks);
      expect(chunkRuns(given(runs), index)).toEqual(runs);
      expect(chunkOrder(given(runs), index)).toEqual(chunks);
    }),
  );
});

test('what is passed on has all that the own boot read, whatever was given', () => {
  const anyBoot = fc.uniqueArray(fc.nat(CHUNKS - 1), { minLength: 1 });
  fc.assert(
    fc.property(anyBoot, anyBoot, fc.integer({ min: 1, max: 255 }), (own, theirs, boots) => {
      const told = passedOn(boot(own), boot(theirs, boots), index);
      expect(told.boots).toBe(1 + Math.min(boots, 3));
      expect(new Set(chunksOf(told))).toEqual(new Set([...own, ...theirs]));
      for (const run of told.runs) expect(run.boots).toBeLessThanOrEqual(told.boots);
      // At the receiver none of them is below the share that is fetched ahead.
      const order = chunkOrder(given(told), index);
      for (const chunk of own) expect(order).toContain(chunk);
    }),
  );
});

test('the order is that of the own boot; what only others read follows what they read before it', () => {
  const told = passedOn(boot([9, 3, 50]), boot([80, 3, 4, 5, 50, 70, 9, 20]), index);
  expect(chunksOf(told)).toEqual([9, 20, 3, 4, 5, 50, 70, 80]);
  expect(told.runs.find(({ start }) => start === 3)).toEqual({ start: 3, end: 4, boots: 2 });
  expect(told.runs.find(({ start }) => start === 4)).toEqual({ start: 4, end: 6, boots: 1 });
});

test('a lie is gone after four machines, and what each boot reads stays', () => {
  const honest = [5, 6, 7, 50, 51, 3];
  const lie = Array.from({ length: 60 }, (_, i) => 99 - i).filter((chunk) => !honest.includes(chunk));
  let told: BootProfile = boot(lie, 255);
  const left: number[] = [];
  for (let machine = 0; machine < 5; machine++) {
    const runs = passedOn(boot(honest), told, index);
    told = given(runs);
    left.push(chunksOf(runs).filter((chunk) => lie.includes(chunk)).length);
    expect(chunksOf(runs)).toEqual(expect.arrayContaining(honest));
  }
  expect(left[0]).toBe(lie.length);
  expect(left[4]).toBe(0);
  expect(chunkOrder(told, index)).toEqual(honest);
});

test('a machine that reads nothing, or nearly all, has not booted', () => {
  const some = (count: number) => boot(Array.from({ length: count }, (_, i) => i));
  expect(isBoot({ ...some(1), ranges: [] })).toBe(false);
  expect(isBoot(some(1))).toBe(true);
  expect(isBoot(some(70))).toBe(true);
  expect(isBoot(some(80))).toBe(false);
});
