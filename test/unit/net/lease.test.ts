import { isIPv4 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseLease } from '../../../src/net/lease.ts';

/** What BusyBox 1.35 gave its script for an answer of dnsmasq. */
const VARIABLES = {
  interface: 'eth0',
  ip: '10.77.0.57',
  mask: '24',
  subnet: '255.255.255.0',
  router: '10.77.0.1 10.77.0.2',
  dns: '10.77.0.1 10.77.0.2',
  domain: 'example.test',
  search: 'one.test example.test',
  hostname: 'machine7',
  ntpsrv: '10.77.0.9',
  serverid: '10.77.0.1',
  siaddr: '10.77.0.1',
  lease: '120',
  mtu: '1400',
  opt224: '68656c6c6f',
};

test('an answer becomes a lease', () => {
  expect(parseLease(VARIABLES)).toEqual({
    address: '10.77.0.57',
    prefixLength: 24,
    routers: ['10.77.0.1', '10.77.0.2'],
    routes: [],
    dns: ['10.77.0.1', '10.77.0.2'],
    ntp: ['10.77.0.9'],
    search: ['example.test', 'one.test'],
    hostname: 'machine7',
    server: '10.77.0.1',
    seconds: 120,
    mtu: 1400,
    options: VARIABLES,
  });
});

test('classless routes are pairs of destination and gateway', () => {
  const staticroutes = '10.0.0.0/8 192.168.1.1 0.0.0.0/0 192.168.1.2 169.254.0.0/16 0.0.0.0';
  expect(parseLease({ ip: '192.168.1.7', staticroutes }).routes).toEqual([
    { destination: '10.0.0.0', prefixLength: 8, gateway: '192.168.1.1' },
    { destination: '0.0.0.0', prefixLength: 0, gateway: '192.168.1.2' },
    { destination: '169.254.0.0', prefixLength: 16, gateway: '0.0.0.0' },
  ]);
});

test('an answer without a usable address is an error', () => {
  for (const ip of ['', '0.0.0.0', '127.0.0.1', '10.1.2', '1.2.3.4; reboot']) {
    expect(() => parseLease({ ip }), ip).toThrow('without a usable address');
  }
  expect(() => parseLease({})).toThrow('without a usable address');
});

test('what makes no sense is left out', () => {
  const lease = parseLease({
    ip: '10.0.0.2',
    mask: '33',
    router: 'router.local 10.0.0.1',
    dns: '999.1.1.1 $(reboot)',
    hostname: '-x',
    domain: 'a..b',
    lease: '-5',
    mtu: '70000',
    staticroutes: '10.0.0.0/33 10.0.0.1 10.0.0.0/8',
  });
  expect(lease).toMatchObject({ prefixLength: 24, routers: ['10.0.0.1'], dns: [], search: [], routes: [] });
  expect(lease).toMatchObject({ hostname: undefined, seconds: undefined, mtu: undefined });
});

test('whatever a server says, addresses are addresses', () => {
  const names = [
    'mask',
    'router',
    'dns',
    'ntpsrv',
    'serverid',
    'hostname',
    'domain',
    'search',
    'staticroutes',
    'lease',
  ];
  const value = fc.oneof(
    fc.string(),
    fc.ipV4(),
    fc.array(fc.ipV4()).map((list) => list.join(' ')),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), value), (options) => {
      const lease = parseLease({ ...options, ip: '10.0.0.2' });
      const gateways = lease.routes.flatMap(({ destination, gateway }) => [destination, gateway]);
      const all = [...lease.routers, ...lease.dns, ...lease.ntp, ...gateways];
      expect(all.filter((address) => !isIPv4(address))).toEqual([]);
      expect(lease.search.join('')).toMatch(/^[\w.-]*$/);
    }),
  );
});
