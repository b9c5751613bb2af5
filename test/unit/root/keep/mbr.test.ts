import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeMbr, freeNumber, withoutPartition, withPartition } from '../../../../src/root/keep/mbr.ts';

type Entry = readonly [type: number, start: number, sectors: number];

function sectorOf(entries: readonly Entry[]): Uint8Array {
  const sector = new Uint8Array(512).fill(0x90, 0, 440);
  const view = new DataView(sector.buffer);
  for (const [index, [type, start, sectors]] of entries.entries()) {
    view.setUint8(446 + 16 * index + 4, type);
    view.setUint32(446 + 16 * index + 8, start, true);
    view.setUint32(446 + 16 * index + 12, sectors, true);
  }
  view.setUint16(510, 0xaa55, true);
  return sector;
}

const ISO: readonly Entry[] = [
  [0x83, 64, 534868],
  [0xef, 534932, 14336],
];

test("the ISO's table is read, and a partition more changes sixteen bytes", () => {
  const sector = sectorOf(ISO);
  const partitions = decodeMbr(sector) ?? [];
  expect(partitions.map(({ number, startSector }) => [number, startSector])).toEqual([
    [1, 64],
    [2, 534932],
  ]);
  expect(freeNumber(partitions)).toBe(3);
  const changed = withPartition(sector, { number: 3, startSector: 1 << 20, sectors: 1 << 21 });
  expect(decodeMbr(changed)?.[2]).toEqual({ number: 3, type: 0x83, startSector: 1 << 20, sectors: 1 << 21 });
  const differing = [...changed.keys()].filter((at) => changed[at] !== sector[at]);
  expect(differing.every((at) => at >= 478 && at < 494)).toBe(true);
  expect(withoutPartition(changed, 3)).toEqual(sector);
});

test('a table beside a GPT, an extended partition, an empty and a missing table are not added to', () => {
  expect(decodeMbr(sectorOf([[0xee, 1, 1000]]))).toBeUndefined();
  expect(decodeMbr(sectorOf([...ISO, [0x0f, 600000, 1000]]))).toBeUndefined();
  expect(decodeMbr(sectorOf([]))).toBeUndefined();
  expect(decodeMbr(new Uint8Array(512))).toBeUndefined();
  expect(decodeMbr(new Uint8Array(100))).toBeUndefined();
  expect(() => withPartition(new Uint8Array(512), { number: 3, startSector: 1, sectors: 1 })).toThrow(/none that can/);
});

test('a partition that overlaps, whose place is taken or whose numbers do not fit is refused', () => {
  const sector = sectorOf(ISO);
  expect(() => withPartition(sector, { number: 2, startSector: 1 << 20, sectors: 8 })).toThrow(/2 is taken/);
  expect(() => withPartition(sector, { number: 3, startSector: 549267, sectors: 8 })).toThrow(/overlap partition 2/);
  expect(() => withPartition(sector, { number: 3, startSector: 2 ** 32, sectors: 8 })).toThrow(/cannot be written/);
  expect(() => withPartition(sector, { number: 3, startSector: 1 << 20, sectors: 2 ** 32 })).toThrow(
    /cannot be written/,
  );
});

test('any bytes give an answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1024 }), (bytes) => {
      for (const { number, sectors } of decodeMbr(bytes) ?? []) {
        expect(number).toBeGreaterThanOrEqual(1);
        expect(number).toBeLessThanOrEqual(4);
        expect(sectors).toBeGreaterThan(0);
      }
    }),
  );
});
