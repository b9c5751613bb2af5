import { array, assert, integer, property, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { createChunkIndex } from '../../../../src/image/chunk-index.ts';
import { chunkOrder } from '../../../../src/image/profile/order.ts';
import { drawProfile } from '../../../../src/image/profile/picture.ts';
import { parseProfile, printProfile } from '../../../../src/image/profile/profile.ts';
import { ProfileRecorder } from '../../../../src/image/profile/recorder.ts';

const ID = 'ab'.repeat(32);
const SIZE = 1_000_000;

test('what is read is recorded page by page, once, in the order of the first time', () => {
  const recorder = new ProfileRecorder(ID, SIZE);
  for (const [offset, end] of [
    [100, 200],
    [40_960, 49_152],
    [0, 8192],
    [49_152, 53_248],
  ] as const)
    recorder.read(offset, end, 0);
  expect(recorder.profile().ranges).toEqual([
    { start: 0, end: 4096, boots: 1, at: 0 },
    { start: 40_960, end: 49_152, boots: 1, at: 4096 },
    { start: 4096, end: 8192, boots: 1, at: 12_288 },
    { start: 49_152, end: 53_248, boots: 1, at: 16_384 },
  ]);
});

test('a boot is over when nothing new was read for 20 s, or after five minutes', () => {
  const quiet = new ProfileRecorder(ID, SIZE);
  expect(quiet.isOver(1e9)).toBe(false);
  expect(quiet.read(0, 10, 1000)).toBe(true);
  expect(quiet.read(0, 10, 20_900)).toBe(true);
  expect(quiet.read(8192, 8200, 21_100)).toBe(false);
  expect(quiet.profile().ranges).toHaveLength(1);
  const busy = new ProfileRecorder(ID, 1 << 30);
  let now = 0;
  while (busy.read(now * 5, now * 5 + 1, now) && now < 1e6) now += 10_000;
  expect(now).toBe(310_000);
});

test('whatever is read, the record is a profile of every byte that was read', () => {
  const reads = array(tuple(integer({ min: 0, max: SIZE - 1 }), integer({ min: 1, max: 200_000 })), { maxLength: 60 });
  assert(
    property(reads, (all) => {
      const recorder = new ProfileRecorder(ID, SIZE);
      const pages = new Set<number>();
      for (const [offset, length] of all) {
        const end = Math.min(SIZE, offset + length);
        recorder.read(offset, end, 1);
        for (let page = offset >> 12; page << 12 < end; page++) pages.add(page);
      }
      const profile = recorder.profile();
      expect(parseProfile(printProfile(profile))).toEqual(profile);
      const bytes = profile.ranges.reduce((sum, { start, end }) => sum + end - start, 0);
      const wanted = [...pages].reduce((sum, page) => sum + Math.min(4096, SIZE - page * 4096), 0);
      expect(bytes).toBe(wanted);
      const rows = drawProfile(profile).split('\n');
      expect(rows.slice(0, 16).every((row) => [...row].length === 64)).toBe(true);
    }),
  );
});

test('the chunks of a profile, first read first; what few boots read is left out; another image has none', () => {
  const ends = Float64Array.from({ length: 10 }, (_, i) => (i + 1) * 1000);
  const index = createChunkIndex(ends, new Uint8Array(320));
  const at = (start: number, end: number, place: number, boots = 8) => ({ start, end, at: place, boots });
  const ranges = [at(5500, 7500, 0), at(0, 10, 10), at(6000, 6001, 20), at(9000, 9001, 30, 1)];
  const profile = { image: index.id, size: 10_000, boots: 8, ranges };
  expect(chunkOrder(profile, index)).toEqual([5, 6, 7, 0]);
  expect(chunkOrder({ ...profile, image: ID }, index)).toEqual([]);
  expect(chunkOrder({ ...profile, size: 10_001 }, index)).toEqual([]);
});
