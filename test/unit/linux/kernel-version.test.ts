import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseKernelVersion, tooOld } from '../../../src/linux/kernel-version.ts';

test('versions as kernels have them', () => {
  expect(parseKernelVersion('6.1.0-56-amd64')).toEqual({ major: 6, minor: 1 });
  expect(parseKernelVersion('4.19-rc3')).toEqual({ major: 4, minor: 19 });
  expect(parseKernelVersion('mine')).toBeUndefined();
  expect(tooOld('4.18.20')).toBe('Linux 4.18.20 is too old: VIVER needs 4.19 or newer');
  expect([tooOld('4.19.0'), tooOld('5.0'), tooOld('mine')]).toEqual([undefined, undefined, undefined]);
});

test('any text is a version or none', () => {
  fc.assert(fc.property(fc.string(), (text) => void tooOld(text)));
});
