import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isNeededItem, readIcuPackage, writeIcuPackage } from '../../../scripts/icu-data.ts';

/** An empty package: header size 32, magic, the format's name. */
const HEADER = Buffer.alloc(32);
HEADER.writeUInt16LE(32, 0);
HEADER.set([0xda, 0x27, 20, 0], 2);
HEADER.write('CmnD', 12, 'latin1');

test('what is written is read again, name by name and byte by byte', () => {
  const items = fc.array(
    fc.record({ name: fc.stringMatching(/^[a-z_/.]{1,30}$/), data: fc.uint8Array({ maxLength: 100 }) }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(items, (written) => {
      const read = readIcuPackage(writeIcuPackage(HEADER, written));
      expect(read.map(({ name }) => name)).toEqual(written.map(({ name }) => name));
      for (const [row, { data }] of written.entries()) {
        // An item ends where the next begins, at a multiple of 16.
        expect(read[row]?.data.length).toBe(Math.ceil(data.length / 16) * 16);
        expect(Buffer.from(read[row]?.data.subarray(0, data.length) ?? [])).toEqual(Buffer.from(data));
      }
    }),
  );
});

test('bytes that are no package are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, withHeader) => {
      const data = Buffer.concat(withHeader ? [HEADER, bytes] : [bytes]);
      try {
        for (const { data: item } of readIcuPackage(data)) expect(item.length).toBeLessThanOrEqual(data.length);
      } catch (error) {
        expect(String(error)).toMatch(/ICU data/);
      }
    }),
  );
});

test.each([
  ['icudt78l/root.res', true],
  ['icudt78l/en.res', true],
  ['icudt78l/en_US.res', true],
  ['icudt78l/en_GB.res', false],
  ['icudt78l/de.res', false],
  ['icudt78l/coll/zh_Hant_TW.res', false],
  ['icudt78l/coll/root.res', true],
  ['icudt78l/coll/ucadata.icu', true],
  ['icudt78l/curr/supplementalData.res', true],
  ['icudt78l/lang/pool.res', true],
  ['icudt78l/res_index.res', true],
  ['icudt78l/nfkc.nrm', true],
  ['icudt78l/uts46.nrm', true],
  ['icudt78l/zoneinfo64.res', true],
  ['icudt78l/ibm-943_P15A-2003.cnv', false],
  ['icudt78l/translit/root.res', false],
  ['icudt78l/brkitr/word.brk', true],
  ['icudt78l/brkitr/cjdict.dict', false],
])('%s: %s', (name, needed) => {
  expect(isNeededItem(name)).toBe(needed);
});
