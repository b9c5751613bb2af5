import { expect, test } from 'vitest';
import { patienceMs, refusalOf } from '../../../src/net/choose-lease.ts';

test('the boot card is waited for longer than a switch port takes to forward, and shortly where it has no link', () => {
  expect(patienceMs({ isThere: true, carrier: true })).toBeGreaterThan(35_000);
  expect(patienceMs({ isThere: true, carrier: false })).toBeLessThanOrEqual(10_000);
  expect(patienceMs({ isThere: false, carrier: false })).toBeLessThanOrEqual(10_000);
});

test("a management controller's link-local lease is none", () => {
  expect(refusalOf({ address: '169.254.3.7', server: '169.254.3.1' })).toBe(
    'the lease 169.254.3.7 of 169.254.3.1 is link-local and leads nowhere',
  );
  expect(refusalOf({ address: '10.169.254.7', server: undefined })).toBeUndefined();
});
