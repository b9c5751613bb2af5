import { expect, test } from 'vitest';
import { HostAccounts } from '../../../../src/field/shares/host-accounts.ts';

test('a host that has overdrawn waits, another does not', () => {
  const accounts = new HostAccounts({ perSecond: 10, atOnce: 20, hosts: 100 });
  expect(accounts.spend('a', 20, 0)).toBe(true);
  expect(accounts.spend('a', 1, 0)).toBe(false);
  expect(accounts.spend('b', 1, 0)).toBe(true);
  expect(accounts.spend('a', 5, 500)).toBe(true);
  expect(accounts.spend('a', 1, 500)).toBe(false);
});

test('a flood of hosts takes no more memory than there are accounts', () => {
  const accounts = new HostAccounts({ perSecond: 1, atOnce: 1, hosts: 2 });
  for (const host of ['a', 'b', 'c']) expect(accounts.spend(host, 1, 0)).toBe(true);
  // The first one was forgotten, the last one was not.
  expect(accounts.spend('c', 1, 0)).toBe(false);
  expect(accounts.spend('a', 1, 0)).toBe(true);
});
