import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BootDisk, endOfUse, placesToProbe, planFileBytes, planPlace } from '../../../../src/root/keep/room.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** A written ISO of so many bytes, its EFI system partition at its end. */
const written = (sizeBytes: number, isoBytes: number): BootDisk => ({
  sizeBytes,
  imageEndBytes: isoBytes - 8 * MIB,
  partitions: [
    { number: 1, type: 0x83, startSector: 64, sectors: isoBytes / 512 - 16384 - 64 },
    { number: 2, type: 0xef, startSector: isoBytes / 512 - 16384, sectors: 16384 },
  ],
});

test('the place begins at a round number a quarter of the image away, and ends with the disk', () => {
  const disk = written(8 * GIB, 270 * MIB);
  expect(planPlace(disk)).toEqual({ number: 3, startBytes: 512 * MIB, sizeBytes: 8 * GIB - 512 * MIB });
});

test('a stick hardly larger than the ISO gives what it has', () => {
  expect(planPlace(written(350 * MIB, 270 * MIB))).toEqual({ number: 3, startBytes: 272 * MIB, sizeBytes: 78 * MIB });
  expect(planPlace(written(300 * MIB, 270 * MIB))).toBe('there are 30 MiB behind the image, and 64 MiB are the least');
});

test('four partitions leave no entry; a disk beyond what an MBR names is used as far as it goes', () => {
  const disk = written(8 * GIB, 270 * MIB);
  const others = [3, 4].map((number) => ({ number, type: 0x83, startSector: number * 2 ** 21, sectors: 1 }));
  expect(planPlace({ ...disk, partitions: [...disk.partitions, ...others] })).toMatch(/no free entry/);
  const place = planPlace(written(4096 * GIB, 270 * MIB));
  expect(place).toMatchObject({ startBytes: 512 * MIB, sizeBytes: 2048 * GIB - 512 * MIB });
});

test('nothing in use is overlapped, and where an older, smaller ISO had it made is among the places looked at', () => {
  const mib = fc.integer({ min: 16, max: 8192 });
  fc.assert(
    fc.property(mib, mib, fc.integer({ min: 64, max: 65536 }), (older, growth, sizeMib) => {
      const before = written((older + sizeMib) * MIB, older * MIB);
      const place = planPlace(before);
      if (typeof place === 'string') return;
      expect(place.startBytes).toBeGreaterThanOrEqual(endOfUse(before));
      expect(place.startBytes + place.sizeBytes).toBeLessThanOrEqual(before.sizeBytes);
      const now = written(before.sizeBytes, (older + (growth % older)) * MIB);
      const isBehind = place.startBytes >= endOfUse(now);
      const isRound = place.startBytes % (256 * MIB) === 0 || place.startBytes - endOfUse(now) < GIB;
      if (isBehind && isRound) expect(placesToProbe(now)).toContain(place.startBytes);
    }),
  );
});

test('a file takes half of what is free, and not more than the file system allows', () => {
  expect(planFileBytes(GIB, 4 * GIB - 1)).toBe(512 * MIB);
  expect(planFileBytes(100 * GIB, 4 * GIB - 1)).toBe(4 * GIB - MIB);
  expect(planFileBytes(100 * MIB, 4 * GIB - 1)).toBe('100 MiB are free on it, and 128 MiB are the least');
});
