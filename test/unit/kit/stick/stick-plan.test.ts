import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DiskFacts, ISO_START_BYTES, planStick, stickSector } from '../../../../src/kit/stick/stick-plan.ts';
import { encodeMark } from '../../../../src/root/keep/mark.ts';
import { decodeMbr, SECTOR_BYTES } from '../../../../src/root/keep/mbr.ts';

const MIB = 1024 * 1024;

interface Part {
  readonly startMib: number;
  readonly sizeMib: number;
}

/** The first bytes of a disk that an ISO was written to, with partitions 1, 2 and perhaps 3. */
function written(isoMib: number, third?: Part, name = 'VIVER'): Buffer {
  const start = Buffer.alloc(ISO_START_BYTES);
  const enter = (number: number, startSector: number, sectors: number): void => {
    const at = 446 + (number - 1) * 16;
    start.writeUInt8(0x83, at + 4);
    start.writeUInt32LE(startSector, at + 8);
    start.writeUInt32LE(sectors, at + 12);
  };
  enter(1, 64, (isoMib - 7) * 2048 - 64);
  enter(2, (isoMib - 7) * 2048, 7 * 2048);
  if (third !== undefined) enter(3, third.startMib * 2048, third.sizeMib * 2048);
  start.writeUInt16LE(0xaa55, 510);
  start.write('\x01CD001', 32768, 'latin1');
  start.write(name.padEnd(32), 32768 + 40, 'latin1');
  start.writeUInt32LE((isoMib * MIB) / 2048, 32768 + 80);
  return start;
}

/** @param marks places in MiB that hold the mark of a partition of so many MiB */
function disk(sizeMib: number, start: Uint8Array, marks: Readonly<Record<number, number>> = {}): DiskFacts {
  return {
    sizeBytes: sizeMib * MIB,
    start,
    sectorAt(offset) {
      const sizeBytes = (marks[offset / MIB] ?? 0) * MIB;
      return sizeBytes > 0 ? encodeMark({ sizeBytes }) : new Uint8Array(SECTOR_BYTES);
    },
  };
}

const empty = new Uint8Array(ISO_START_BYTES);

test('an empty disk: all of it is lost, and the rest is for changes', () => {
  const plan = planStick(disk(4096, empty), 300 * MIB);
  expect(plan).toMatchObject({ isUpdate: false, kept: [], staleMarks: [], freeBytes: 3796 * MIB });
  expect(plan.notes).toEqual([
    'all that is on it is lost',
    '3796 MiB behind the image are for changes (viver.cow=keep)',
  ]);
});

test('an update keeps the partition behind the image, whether the table names it or only its mark is there', () => {
  const third = { number: 3, startSector: 512 * 2048, sectors: 1000 * 2048 };
  const named = planStick(disk(4096, written(300, { startMib: 512, sizeMib: 1000 })), 400 * MIB);
  expect(named).toMatchObject({ isUpdate: true, kept: [third] });
  const marked = planStick(disk(4096, written(300), { 512: 1000 }), 400 * MIB);
  expect(marked).toMatchObject({ isUpdate: true, kept: [third], staleMarks: [] });
  expect(marked.notes).toEqual(['partition 3 behind the image (1000 MiB) stays: changes kept on it go on']);
});

test('an image that has grown over the changes is refused, unless they are thrown away', () => {
  const grown = disk(4096, written(300, { startMib: 512, sizeMib: 1000 }), { 512: 1000, 768: 64 });
  expect(() => planStick(grown, 600 * MIB)).toThrow(/need 600 MiB, and the changes kept on it begin at 512 MiB: --new/);
  // What lies behind the image must not be found again by the next boot; what lies below it is overwritten.
  expect(planStick(grown, 600 * MIB, true)).toMatchObject({ isUpdate: true, kept: [], staleMarks: [768 * MIB] });
});

test('marks of an earlier life of the disk are cleared', () => {
  const plan = planStick(disk(4096, written(300, undefined, 'OTHER'), { 768: 64, 1024: 100 }), 300 * MIB);
  expect(plan).toMatchObject({ isUpdate: false, kept: [], staleMarks: [768 * MIB, 1024 * MIB] });
});

test('a disk that is too small is refused', () => {
  expect(() => planStick(disk(200, empty), 300 * MIB)).toThrow(
    'too small: it has 200 MiB, the images with their boot loader need 300 MiB',
  );
});

test('whatever a disk begins with, nothing that is kept is written over', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 0, maxLength: ISO_START_BYTES }),
    fc
      .record({ startMib: fc.integer({ min: 1, max: 8000 }), sizeMib: fc.integer({ min: 1, max: 8000 }) })
      .map((third) => written(300, third)),
  );
  fc.assert(
    fc.property(bytes, fc.integer({ min: 300, max: 900 }), (start, isoMib) => {
      const isoBytes = isoMib * MIB;
      let plan: ReturnType<typeof planStick>;
      try {
        plan = planStick(disk(4096, start), isoBytes);
      } catch (error) {
        expect((error as Error).message).toMatch(/--new throws them away/);
        return;
      }
      const table = decodeMbr(stickSector(written(isoMib).subarray(0, SECTOR_BYTES), plan.kept)) ?? [];
      for (const kept of plan.kept) {
        expect(kept.startSector * SECTOR_BYTES).toBeGreaterThanOrEqual(isoBytes);
        expect(table).toContainEqual({ type: 0x83, ...kept });
      }
      expect(table.filter(({ number }) => number <= 2)).toHaveLength(2);
    }),
  );
});
