import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  asUuid,
  derivedId,
  hardwareMark,
  isMachineId,
  isRealUuid,
  machineIdOf,
} from '../../../../src/root/installed/machine-id.ts';

const UUID = '4c4c4544-0051-3310-8057-b4c04f4a3132';
const none = { uuid: undefined, serials: [], boardSerial: undefined, bootMac: undefined, macs: [] };

test('a UUID counts when it is one board’s only', () => {
  expect(isRealUuid(UUID)).toBe(true);
  expect(isRealUuid(UUID.toUpperCase())).toBe(true);
  for (const uuid of [
    undefined,
    '',
    'Not Settable',
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    'fefefefe-fefe-fefe-fefe-fefefefefefe',
    '03000200-0400-0500-0006-000700080009',
    '00020003-0004-0005-0006-000700080009',
  ])
    expect(isRealUuid(uuid), uuid).toBe(false);
});

test('the board counts first, then its serial number, then the card it was booted by, then the lowest card', () => {
  const macs = ['52:54:00:00:00:01', '00:1b:21:00:00:02', '00:1b:21:00:00:01'];
  expect(hardwareMark({ ...none, uuid: UUID.toUpperCase(), serials: ['a', 'b'], macs })).toBe(`board ${UUID} a b`);
  expect(hardwareMark({ ...none, boardSerial: '10000000abcdef01', macs })).toBe('serial 10000000abcdef01');
  expect(hardwareMark({ ...none, boardSerial: '0000000000000000', macs })).toBe('card 00:1b:21:00:00:01');
  expect(hardwareMark({ ...none, bootMac: macs[0], macs })).toBe('card 52:54:00:00:00:01');
  expect(hardwareMark({ ...none, macs: macs.toReversed() })).toBe('card 00:1b:21:00:00:01');
  expect(hardwareMark(none)).toBeUndefined();
});

test('an id is 32 digits of a version 4 UUID, another for every mark and purpose', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      expect(machineIdOf(a)).toMatch(/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
      expect(isMachineId(machineIdOf(a))).toBe(true);
      expect(machineIdOf(a) === machineIdOf(b)).toBe(a === b);
    }),
  );
  expect(derivedId('x', 'iscsi')).not.toBe(derivedId('x', 'nvme'));
  expect(asUuid(UUID.replaceAll('-', ''))).toBe(UUID);
  for (const text of ['', 'uninitialized', '0'.repeat(32), 'A'.repeat(32)]) expect(isMachineId(text)).toBe(false);
});
