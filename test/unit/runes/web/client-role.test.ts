import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { parseRoles } from '../../../../src/runes/engine/roles.ts';
import { hostnameFor } from '../../../../src/runes/plugins/hostname.ts';
import { clientRole, macOf } from '../../../../src/runes/web/client-role.ts';

const mac = '52:54:00:12:34:56';
const ROLES = parseRoles(`role by-mac
  machines mac:aa:bb:*
role by-host
  machines host:pc-12345?
role by-address
  machines address:10.86.7.0/24
role from-medium
  machines booted:medium
role rest
  machines any
`);
const role = (of: { mac?: string; address?: string; hostname?: string | undefined }) =>
  clientRole(ROLES, { mac, address: '10.86.0.1', hostname: undefined, ...of }).role.name;

test('a machine that boots has the role that it will find itself in: by MAC, the name it gets, its address', () => {
  expect(role({ mac: 'aa:bb:cc:00:00:01' })).toBe('by-mac');
  expect(role({ hostname: 'pc\n' })).toBe('by-host');
  expect(role({ hostname: 'other' })).toBe('rest');
  expect(role({ address: '10.86.7.9' })).toBe('by-address');
  const own = hostnameFor({ commandLine: '', bootMac: mac, macs: [mac], uuid: undefined, chance: '' }, 'pc');
  expect(own).toBe('pc-123456');
});

test('a MAC is taken as iPXE writes it, and nothing else is', () => {
  expect(macOf('52-54-00-AB-cd-ef')).toBe('52:54:00:ab:cd:ef');
  for (const none of [null, '', '$' + '{netX/mac:hexhyp}', '52-54-00-12-34', `${mac} x`])
    expect(macOf(none)).toBeUndefined();
  assert(property(string(), (text) => macOf(text) === undefined || /^[0-9a-f:]{17}$/.test(macOf(text) ?? '')));
});
