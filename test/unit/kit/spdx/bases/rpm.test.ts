import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parseBases } from '../../../../../src/kit/spdx/bases/package-bases.ts';
import { readRpmDatabase } from '../../../../../src/kit/spdx/bases/rpm-database.ts';
import { parseRpmHeader } from '../../../../../src/kit/spdx/bases/rpm-header.ts';
import { type FileBytes, sqliteRows } from '../../../../../src/kit/spdx/bases/sqlite-table.ts';
import { temporaryFolder } from '../../../image/images.ts';
import { RPM_TABLE, rpmHeader, sqliteFile } from './rpm-files.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const fileOf = (bytes: Buffer): FileBytes => ({
  size: bytes.length,
  read(offset, length) {
    if (offset + length > bytes.length) throw new Error('it ends too soon');
    return bytes.subarray(offset, offset + length);
  },
});

let made = 0;
function database(rows: readonly Uint8Array[], pageBytes = 4096): Buffer {
  const path = folder.at(`${made++}.sqlite`);
  sqliteFile(path, [RPM_TABLE], rows, pageBytes);
  return readFileSync(path);
}

describe('rows of SQLite', () => {
  test('are those that SQLite itself wrote, of all sizes, over pages of all sizes', () => {
    const size = fc.oneof(fc.nat(100), fc.integer({ min: 300, max: 1200 }), fc.integer({ min: 3900, max: 40_000 }));
    const pageBytes = fc.constantFrom(512, 1024, 4096, 65536);
    fc.assert(
      fc.property(fc.array(size, { maxLength: 40 }), pageBytes, (sizes, bytes) => {
        const rows = sizes.map((length, i) => Buffer.alloc(length, i + 1));
        const read = [...sqliteRows(fileOf(database(rows, bytes)), 'Packages', 1 << 20)];
        expect(read).toEqual(rows.map((row) => [undefined, row]));
      }),
      { numRuns: 30 },
    );
  });

  test('a file that is changed anywhere ends in rows or an error, soon', () => {
    const whole = database(
      Array.from({ length: 60 }, (_, i) => Buffer.alloc(i * 40, 7)),
      512,
    );
    const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 20 }), fc.nat(whole.length), (changes, cut) => {
        const bytes = Buffer.from(cut % 3 === 0 ? whole.subarray(0, cut) : whole);
        for (const { at, to } of changes) if (at < bytes.length) bytes[at % 3 === 0 ? at % 600 : at] = to;
        let rows = 0;
        try {
          for (const _ of sqliteRows(fileOf(bytes), 'Packages', 1 << 20)) rows++;
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
        expect(rows).toBeLessThan(20_000);
      }),
      { numRuns: 500 },
    );
  });

  test('a page that leads to itself ends it', () => {
    const bytes = database([Buffer.alloc(2000)], 512);
    // The first page of the row's chain; its first four bytes say the next one.
    const page = bytes.length / 512;
    bytes.writeUInt32BE(page - 1, (page - 2) * 512);
    expect(() => [...sqliteRows(fileOf(bytes), 'Packages', 1 << 20)]).toThrow('is there twice');
  });

  test('another table, another file, a row that is too long', () => {
    const bytes = database([Buffer.alloc(2000)]);
    expect(() => [...sqliteRows(fileOf(bytes), 'Other', 1 << 20)]).toThrow('no table Other');
    expect(() => [...sqliteRows(fileOf(Buffer.alloc(5000)), 'Packages', 1 << 20)]).toThrow('no SQLite file');
    expect([...sqliteRows(fileOf(bytes), 'Packages', 1000)]).toEqual([undefined]);
  });
});

describe('headers of rpm', () => {
  test('what is written is read', () => {
    const word = fc.stringMatching(/^[a-z0-9][a-z0-9+._]{0,20}$/);
    const fields = fc.record({
      name: word,
      version: word,
      release: word,
      arch: word,
      license: fc.string({ minLength: 1 }),
    });
    fc.assert(
      fc.property(fields, fc.option(fc.nat(9)), ({ name, version, release, arch, license }, epoch) => {
        fc.pre(!license.includes('\0'));
        const sourceRpm = `${name}-src-${version}-${release}.src.rpm`;
        const header = rpmHeader({
          name,
          version,
          release,
          arch,
          license,
          sourceRpm,
          ...(epoch !== null && { epoch }),
        });
        expect(parseRpmHeader(header)).toEqual({
          type: 'rpm',
          name,
          version: `${epoch ? `${epoch}:` : ''}${version}-${release}`,
          architecture: arch,
          source: `${name}-src`,
          sourceVersion: `${version}-${release}`,
          maintainer: undefined,
          licences: [license],
        });
      }),
    );
  });

  test('any bytes are read without a fault', () => {
    const header = rpmHeader({ name: 'a', version: '1', release: '2', arch: 'noarch', license: 'MIT' });
    const changed = fc.array(fc.record({ at: fc.nat(header.length - 1), to: fc.nat(255) })).map((changes) => {
      const bytes = Buffer.from(header);
      for (const { at, to } of changes) bytes[at] = to;
      return bytes;
    });
    const any = fc.uint8Array().map((bytes) => Buffer.from(bytes));
    fc.assert(fc.property(fc.oneof(changed, any), (bytes) => void parseRpmHeader(bytes)));
  });
});

test('a list: keys are no packages, rows that are no header are counted', () => {
  const header = (name: string) => rpmHeader({ name, version: '1', release: '2', arch: 'noarch', license: 'MIT' });
  const bytes = database([header('b'), header('gpg-pubkey'), Buffer.from('no header'), header('a')]);
  const read = () => readRpmDatabase(fileOf(bytes));
  const { packages, unreadable } = parseBases([], [['var/lib/rpm/rpmdb.sqlite', read]]);
  expect(packages.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(unreadable).toBe(1);
  const none = () => readRpmDatabase(fileOf(Buffer.alloc(10)));
  expect(() => parseBases([], [['var/lib/rpm/rpmdb.sqlite', none]])).toThrow('/var/lib/rpm/rpmdb.sqlite');
});
