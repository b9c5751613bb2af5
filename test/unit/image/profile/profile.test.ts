import { assert, integer, option, property, record, string, tuple, uniqueArray } from 'fast-check';
import { expect, test } from 'vitest';
import { mergeProfiles } from '../../../../src/image/profile/merge.ts';
import {
  type BootProfile,
  compareRanges,
  PROFILE_RANGES_LIMIT,
  parseProfile,
  printProfile,
} from '../../../../src/image/profile/profile.ts';

const ID = 'ab'.repeat(32);
const SIZE = 1 << 20;

/** Profiles whose ranges begin and end at edges that were drawn. */
const profiles = record({
  image: option(tuple(), { nil: undefined }).map((some) => some && ID),
  boots: integer({ min: 1, max: 50 }),
  edges: uniqueArray(integer({ min: 0, max: SIZE }), { maxLength: 40 }),
  seed: integer({ min: 0, max: 1000 }),
}).map(({ image, boots, edges, seed }): BootProfile => {
  const sorted = edges.toSorted((a, b) => a - b);
  const ranges = sorted.flatMap((start, i) => {
    const end = sorted[i + 1];
    if (end === undefined || i % 3 === 2) return [];
    return [{ start, end, boots: 1 + (seed % boots), at: (start * 7919 + seed) % SIZE }];
  });
  return { image, size: SIZE, boots, ranges: ranges.sort(compareRanges) };
});

test('what was printed is read as it was', () => {
  assert(
    property(profiles, (profile) => {
      expect(parseProfile(printProfile(profile))).toEqual(profile);
    }),
  );
});

test('a profile is text that a person can read', () => {
  const profile = { image: ID, size: 9000, boots: 2, ranges: [{ start: 4096, end: 8192, boots: 1, at: 0 }] };
  expect(printProfile(profile)).toBe(`viver-profile 1\nimage ${ID}\nsize 9000\nboots 2\n4096 4096 1 0\n`);
});

test('comments, empty lines, CR LF and words of later versions are passed over', () => {
  const text = 'viver-profile 1\r\n# by hand\r\nsize 100\r\nkernel 6.1\r\n\r\nboots 1\r\n0 10 1 0\r\n';
  expect(parseProfile(text)).toEqual({
    image: undefined,
    size: 100,
    boots: 1,
    ranges: [{ start: 0, end: 10, boots: 1, at: 0 }],
  });
});

const head = 'viver-profile 1\nsize 100\nboots 2\n';

test.each([
  ['', 'no boot profile: its first line'],
  ['viver-profile', 'no boot profile: its first line'],
  ['viver-profile 2\nsize 1\nboots 1\n', 'another version than 1'],
  ['viver-profile 1\nboots 1\n', 'does not say its size'],
  ['viver-profile 1\nsize 1e9\nboots 1\n', 'size is no whole number'],
  ['viver-profile 1\nsize 9999999999999999\nboots 1\n', 'size is no whole number'],
  ['viver-profile 1\nsize 1\nboots 0\n', '0 boots'],
  ['viver-profile 1\nsize 1\nsize 2\nboots 1\n', 'line 3: size is said twice'],
  [`viver-profile 1\nimage ../../x\nsize 1\nboots 1\n`, 'image is no image id'],
  [`${head}0 10 1`, 'line 4: not START LENGTH BOOTS AT'],
  [`${head}0 10 1 0 5`, 'line 4: not START LENGTH BOOTS AT'],
  [`${head}0 -1 1 0`, 'line 4: not four whole numbers'],
  [`${head}0 0x10 1 0`, 'line 4: not four whole numbers'],
  [`${head}0 0 1 0`, 'line 4: a range of 0 bytes'],
  [`${head}0 10 0 0`, 'line 4: a range of 10 bytes read by 0 boots'],
  [`${head}0 10 1 0\n5 10 1 0`, 'bytes 5 to 15 are named twice'],
  [`${head}95 10 1 0`, 'bytes 95 to 105 are not in an image of 100 bytes'],
  [`${head}0 10 1 101`, 'are read after more bytes than the image has'],
  [`${head}0 10 3 0`, 'are read by 3 of 2 boots'],
  [`${head}0 10 1 0\nboots 5`, 'line 5: no range of bytes'],
  [`${head}\x1b[2J`, 'line 4: neither a word nor a range of bytes'],
])('%j is no profile: %s', (text, message) => {
  expect(() => parseProfile(text)).toThrow(message);
});

test('whatever a stranger calls a profile is one or is refused, and costs no more than its length', () => {
  assert(
    property(string({ unit: 'binary', maxLength: 500 }), (text) => {
      for (const each of [text, head + text]) {
        let profile: BootProfile | undefined;
        try {
          profile = parseProfile(each);
        } catch (error) {
          expect((error as Error).message).toContain('boot profile');
        }
        if (profile !== undefined) expect(parseProfile(printProfile(profile))).toEqual(profile);
      }
    }),
  );
  const rows = Array.from({ length: PROFILE_RANGES_LIMIT + 1 }, (_, i) => `${2 * i} 1 1 0`).join('\n');
  expect(() => parseProfile(`viver-profile 1\nsize 1000000\nboots 1\n${rows}`)).toThrow('more than 100000 ranges');
  expect(() => parseProfile('\n'.repeat((8 << 20) + 1))).toThrow('too many');
});

/** For each byte of a small image: boots and place. */
function bytesOf({ ranges }: BootProfile): Map<number, { boots: number; at: number }> {
  const bytes = new Map<number, { boots: number; at: number }>();
  for (const { start, end, boots, at } of ranges) {
    for (let byte = start; byte < end; byte += 1024) bytes.set(byte, { boots, at: at + byte - start });
  }
  return bytes;
}

test('profiles merged: boots are counted, what is read early in most stays early', () => {
  const at = (start: number, place: number, boots = 1) => ({ start, end: start + 4096, boots, at: place });
  const one = { image: ID, size: SIZE, boots: 1, ranges: [at(0, 0), at(65536, 4096)] };
  const other = { image: undefined, size: SIZE, boots: 3, ranges: [at(0, 4096, 3), at(131072, 0, 2)] };
  const merged = mergeProfiles([one, other]);
  expect(merged).toEqual({
    image: ID,
    size: SIZE,
    boots: 4,
    ranges: [at(131072, 0, 2), at(0, 3072, 4), at(65536, 4096, 1)],
  });
  expect(bytesOf(merged).size).toBe(3 * 4);
});

test('a range read whole by one boot and in parts by another is cut where it must be, and joined where it can be', () => {
  const whole = { image: ID, size: SIZE, boots: 1, ranges: [{ start: 0, end: 300, boots: 1, at: 10 }] };
  const parts = { image: ID, size: SIZE, boots: 1, ranges: [{ start: 100, end: 200, boots: 1, at: 110 }] };
  expect(mergeProfiles([whole, parts]).ranges).toEqual([
    { start: 0, end: 100, boots: 1, at: 10 },
    { start: 100, end: 200, boots: 2, at: 110 },
    { start: 200, end: 300, boots: 1, at: 210 },
  ]);
  expect(mergeProfiles([whole, whole]).ranges).toEqual([{ start: 0, end: 300, boots: 2, at: 10 }]);
});

test('merging takes profiles in any order, and what comes out is a profile', () => {
  assert(
    property(profiles, profiles, profiles, (a, b, c) => {
      const merged = mergeProfiles([a, b, c]);
      expect(mergeProfiles([c, a, b])).toEqual(merged);
      expect(parseProfile(printProfile(merged))).toEqual(merged);
      const boots = [a, b, c].map(({ ranges }) => ranges.reduce((sum, r) => sum + r.boots * (r.end - r.start), 0));
      const all = merged.ranges.reduce((sum, r) => sum + r.boots * (r.end - r.start), 0);
      expect(all).toBe(boots.reduce((x, y) => x + y));
    }),
  );
});

test('profiles of different images are not merged', () => {
  const of = (image: string | undefined, size: number) => ({ image, size, boots: 1, ranges: [] });
  expect(() => mergeProfiles([of(ID, 1), of('cd'.repeat(32), 1)])).toThrow('different images');
  expect(() => mergeProfiles([of(ID, 1), of(undefined, 2)])).toThrow('different images');
  expect(() => mergeProfiles([])).toThrow('no boot profile');
});
