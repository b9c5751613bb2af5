import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Medium } from '../../../src/media/block-devices.ts';
import { chooseMedium, type ImagePolicy, MEDIUM_RANKS, type MeasuredCandidate } from '../../../src/media/choose.ts';
import { candidate, device } from './devices.ts';

const ANY: ImagePolicy = { name: undefined, media: undefined };

interface Row {
  readonly name?: string;
  readonly medium: Medium;
  /** MB/s */
  readonly speed?: number;
  readonly made?: number;
  readonly contents?: string;
}

function measured({ name = 'debian', medium, speed, made = 100, contents = 'aa' }: Row, i: number): MeasuredCandidate {
  const on = device(`${medium}${i}`, { medium });
  return {
    candidate: candidate(name, on, { squashfs: { sizeBytes: 2 ** 28, madeSeconds: made, superblock: contents } }),
    bytesPerSecond: speed === undefined ? undefined : speed * 1e6,
    measured: speed === undefined ? 'EIO: i/o error' : `${speed} MB/s`,
  };
}

function order(rows: readonly Row[], policy: Partial<ImagePolicy> = {}): string[] {
  const { ordered } = chooseMedium(rows.map(measured), { ...ANY, ...policy });
  return ordered.map((row) => row.candidate.device.name);
}

test('the medium that is really fastest wins, also when its kind is of lower rank', () => {
  expect(
    order([
      { medium: 'nvme', speed: 40 },
      { medium: 'usb', speed: 120 },
    ]),
  ).toEqual(['usb1', 'nvme0']);
});

test('among about equally fast media the better kind wins', () => {
  expect(
    order([
      { medium: 'usb', speed: 120 },
      { medium: 'nvme', speed: 100 },
    ]),
  ).toEqual(['nvme1', 'usb0']);
  expect(
    order([
      { medium: 'usb', speed: 131 },
      { medium: 'nvme', speed: 100 },
    ]),
  ).toEqual(['usb0', 'nvme1']);
});

test('what could not be measured comes last, by kind', () => {
  expect(order([{ medium: 'usb' }, { medium: 'nvme' }, { medium: 'cd', speed: 1 }])).toEqual(['cd2', 'nvme1', 'usb0']);
});

test('viver.media is the user’s word: only those kinds, in that order, whatever their speed', () => {
  const rows: Row[] = [
    { medium: 'nvme', speed: 900 },
    { medium: 'usb', speed: 30 },
    { medium: 'sata', speed: 300 },
    { medium: 'usb', speed: 90 },
  ];
  expect(order(rows, { media: ['usb', 'sata'] })).toEqual(['usb3', 'usb1', 'sata2']);
  const { passedOver } = chooseMedium(rows.map(measured), { ...ANY, media: ['usb', 'sata'] });
  expect(passedOver.map((row) => row.reason)).toEqual(['on nvme, which is not in viver.media=usb,sata']);
});

test('viver.image takes images of that name, then an image alone on a partition that has no name', () => {
  const rows: Row[] = [
    { medium: 'nvme', name: '', speed: 900 },
    { medium: 'sata', name: 'knoppix', speed: 300 },
    { medium: 'usb', name: 'debian', speed: 30 },
  ];
  expect(order(rows, { name: 'debian' })).toEqual(['usb2', 'nvme0']);
  const { ordered, passedOver } = chooseMedium(rows.map(measured), { ...ANY, name: 'debian' });
  expect(passedOver.map((row) => row.reason)).toEqual(['not the image asked for (debian)']);
  expect(ordered[1]?.reason).toContain('has no name');
});

test('images of one name but different contents compete by speed, and a warning tells them apart', () => {
  const rows: Row[] = [
    { medium: 'usb', speed: 30, made: 86_400, contents: 'new' },
    { medium: 'nvme', speed: 900, made: 0, contents: 'old' },
    { medium: 'sata', speed: 300, made: 0, contents: 'old' },
  ];
  expect(order(rows)).toEqual(['nvme1', 'sata2', 'usb0']);
  expect(chooseMedium(rows.map(measured), ANY).warnings).toEqual([
    'debian on /dev/nvme1 (made 1970-01-01T00:00) and on /dev/usb0 (made 1970-01-02T00:00) differ: ' +
      'viver.image=NAME@sha256:ID takes exactly one',
  ]);
});

test('of several images on one disk the one made last comes first', () => {
  const on = device('sda');
  const all = ['old', 'new'].map((name, i): MeasuredCandidate => {
    const squashfs = { sizeBytes: 1, madeSeconds: i, superblock: name };
    return { candidate: candidate(name, on, { squashfs }), bytesPerSecond: 1e6, measured: '1 MB/s' };
  });
  expect(chooseMedium(all, ANY).ordered.map((row) => row.candidate.name)).toEqual(['new', 'old']);
});

test('of several images on one disk the one that is released goes first, whichever was made last', () => {
  const on = device('sda');
  const standings = [0, 4, 5, -1];
  const all = standings.map((standing, i): MeasuredCandidate => {
    const squashfs = { sizeBytes: 1, madeSeconds: i, superblock: String(i) };
    return { candidate: candidate(`v${i}`, on, { squashfs }), bytesPerSecond: 1e6, measured: '1 MB/s', standing };
  });
  expect(chooseMedium(all, ANY).ordered.map((row) => row.candidate.name)).toEqual(['v2', 'v1', 'v0', 'v3']);
});

const rowOf = fc.record({
  name: fc.constantFrom('', 'debian', 'knoppix'),
  medium: fc.constantFrom(...MEDIUM_RANKS),
  speed: fc.integer({ min: 1, max: 2000 }),
  made: fc.integer({ min: 1, max: 3 }),
  contents: fc.constantFrom('aa', 'bb'),
});
const policyOf = fc.record({
  name: fc.option(fc.constantFrom('debian', 'other'), { nil: undefined }),
  media: fc.option(fc.uniqueArray(fc.constantFrom(...MEDIUM_RANKS), { minLength: 1 }), { nil: undefined }),
});

test('every candidate is either ordered or passed over, once, with a reason', () => {
  fc.assert(
    fc.property(fc.array(rowOf, { maxLength: 12 }), policyOf, (rows, policy) => {
      const { ordered, passedOver } = chooseMedium(rows.map(measured), policy);
      const names = [...ordered, ...passedOver].map((row) => row.candidate.device.name);
      expect(names.sort()).toEqual(rows.map((row, i) => `${row.medium}${i}`).sort());
      for (const row of [...ordered, ...passedOver]) expect(row.reason).not.toBe('');
    }),
  );
});

test('the order does not depend on which device answered first', () => {
  fc.assert(
    fc.property(fc.array(rowOf, { maxLength: 8 }), policyOf, (rows, policy) => {
      const all = rows.map(measured);
      const forward = chooseMedium(all, policy).ordered.map((row) => row.candidate.device.name);
      const backward = chooseMedium([...all].reverse(), policy).ordered.map((row) => row.candidate.device.name);
      expect(backward).toEqual(forward);
    }),
  );
});

test('without a policy the first is never much slower than another copy of the same image', () => {
  fc.assert(
    fc.property(fc.array(rowOf, { minLength: 1, maxLength: 8 }), (rows) => {
      const all = rows.map((row, i) => measured({ ...row, name: 'debian', made: 1 }, i));
      const fastest = Math.max(...all.map((row) => row.bytesPerSecond ?? 0));
      const [first] = chooseMedium(all, ANY).ordered;
      const chosen = all.find((row) => row.candidate === first?.candidate);
      expect(chosen?.bytesPerSecond).toBeGreaterThanOrEqual(fastest / 1.3);
    }),
  );
});
