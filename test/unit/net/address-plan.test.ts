import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseIpSetting, planLease, resolvConf } from '../../../src/net/address-plan.ts';
import { parseLease } from '../../../src/net/lease.ts';

const plan = (options: Record<string, string>) => planLease(parseLease({ ip: '10.1.2.3', mask: '24', ...options }));

test('a lease has its address and a default route by its first router', () => {
  expect(plan({ router: '10.1.2.1 10.1.2.2', dns: '10.1.2.1', domain: 'a.test' })).toEqual({
    address: '10.1.2.3',
    prefixLength: 24,
    routes: [{ destination: '0.0.0.0', prefixLength: 0, gateway: '10.1.2.1' }],
    dns: ['10.1.2.1'],
    search: ['a.test'],
  });
});

test('classless routes replace the router (RFC 3442), those on the link first', () => {
  const staticroutes = '0.0.0.0/0 10.1.2.7 10.9.8.7/16 10.1.2.8 10.5.0.0/16 0.0.0.0';
  expect(plan({ router: '10.1.2.1', staticroutes }).routes).toEqual([
    { destination: '10.5.0.0', prefixLength: 16 },
    { destination: '0.0.0.0', prefixLength: 0, gateway: '10.1.2.7' },
    { destination: '10.9.0.0', prefixLength: 16, gateway: '10.1.2.8' },
  ]);
});

test('a gateway outside the own network gets a route of its own first', () => {
  expect(plan({ mask: '32', router: '10.1.2.1' }).routes).toEqual([
    { destination: '10.1.2.1', prefixLength: 32 },
    { destination: '0.0.0.0', prefixLength: 0, gateway: '10.1.2.1' },
  ]);
});

test('every gateway can be reached by what was added before it', () => {
  const inNetwork = (address: string, network: string, length: number) => {
    const bits = (text: string) =>
      text
        .split('.')
        .map((part) => Number(part).toString(2).padStart(8, '0'))
        .join('')
        .slice(0, length);
    return bits(address) === bits(network);
  };
  fc.assert(
    fc.property(fc.ipV4(), fc.nat(32), fc.ipV4(), (address, length, gateway) => {
      fc.pre(!/^(0|127)\./.test(address));
      const { routes } = planLease(parseLease({ ip: address, mask: String(length), router: gateway }));
      const reachable = [{ destination: address, prefixLength: length }];
      for (const route of routes) {
        const by = route.gateway;
        if (by !== undefined) {
          expect(reachable.some((known) => inNetwork(by, known.destination, known.prefixLength))).toBe(true);
        }
        reachable.push(route);
      }
    }),
  );
});

test('viver.ip is dhcp, or an address with its length and perhaps a gateway', () => {
  expect(parseIpSetting('dhcp')).toBe('dhcp');
  expect(parseIpSetting('192.168.1.7/24')).toMatchObject({ address: '192.168.1.7', prefixLength: 24, routes: [] });
  expect(parseIpSetting('192.168.1.7/24,192.168.1.1')).toMatchObject({
    routes: [{ destination: '0.0.0.0', prefixLength: 0, gateway: '192.168.1.1' }],
  });
});

test('anything else is refused with what is wanted', () => {
  for (const text of ['', 'DHCP', '1.2.3.4', '1.2.3.4/33', '1.2.3/8', '1.2.3.4/8,', '1.2.3.4/8,x', 'fe80::1/64']) {
    expect(() => parseIpSetting(text), text).toThrow(`viver.ip=${text}: wants dhcp or ADDR/LEN[,gateway]`);
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseIpSetting(text);
      } catch (error) {
        expect((error as Error).message).toContain('viver.ip=');
      }
    }),
  );
});

test('resolv.conf has what is known, and is not made of nothing', () => {
  const both = { dns: ['10.0.0.1', '10.0.0.2'], search: ['a.test', 'b.test'] };
  expect(resolvConf(both)).toBe('search a.test b.test\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n');
  expect(resolvConf({ dns: ['10.0.0.1'], search: [] })).toBe('nameserver 10.0.0.1\n');
  expect(resolvConf({ dns: [], search: ['a.test'] })).toBeUndefined();
});

test('the MTU of a lease, unless no host could live with it', () => {
  const lease = (mtu: string) => planLease(parseLease({ ip: '10.0.0.2', mask: '24', mtu })).mtu;
  expect(lease('1400')).toBe(1400);
  expect(lease('9000')).toBe(9000);
  expect(lease('575')).toBeUndefined();
  expect(lease('70000')).toBeUndefined();
  expect(lease('many')).toBeUndefined();
});
