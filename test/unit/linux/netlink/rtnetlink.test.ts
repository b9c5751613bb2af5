import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { CodecError, decode, encode } from '../../../../src/codec/struct.ts';
import { decodeLink, ipv4 } from '../../../../src/linux/netlink/rtnetlink.ts';
import { isolated } from '../isolated.ts';

interface Found {
  readonly leftIndex: number;
  readonly ipShows: { readonly address: string; readonly routes: string };
  readonly seen: readonly string[];
  readonly [name: string]: unknown;
}
let found: Found;
beforeAll(async () => {
  found = (await isolated('linux/rtnetlink', ['--net'])) as Found;
});

test('a link is listed with its name, address, type and state', () => {
  expect(found.left).toMatchObject({
    name: 'left',
    mac: '02:00:00:00:00:01',
    type: 1,
    mtu: 1500,
    up: false,
    loopback: false,
    kind: 'veth',
    operstate: 'down',
  });
});

test('a link that is set up has a carrier when its other end is up', () => {
  expect(found.after).toMatchObject({ up: true, carrier: true });
});

test('an address is added once, with its broadcast address, as ip(8) sees it', () => {
  expect(found.addresses).toEqual([{ linkIndex: found.leftIndex, address: '10.1.2.3', prefixLength: 24 }]);
  expect(found.ipShows.address).toContain('inet 10.1.2.3/24 brd 10.1.2.255 scope global left');
});

test('routes are added, as ip(8) sees them', () => {
  const linkIndex = found.leftIndex;
  expect(found.routes).toEqual(
    expect.arrayContaining([
      { linkIndex, destination: '0.0.0.0', prefixLength: 0, gateway: '10.1.2.1', metric: 7 },
      { linkIndex, destination: '10.9.0.0', prefixLength: 16, metric: 0 },
    ]),
  );
  expect(found.ipShows.routes).toContain('default via 10.1.2.1 dev left metric 7');
  expect(found.ipShows.routes).toContain('10.9.0.0/16 dev left scope link');
});

test('what the kernel refuses says what, on what and why', () => {
  expect(found.errors).toEqual([
    'add route 0.0.0.0/0 by 192.168.7.1: ENETUNREACH (Network is unreachable)',
    'add address 10.1.2.3/24 on link 4711: ENODEV (No such device)',
    'set up none: ENODEV (No such device)',
  ]);
});

test('addresses and routes are deleted', () => {
  expect(found.withoutDefault).not.toContainEqual(expect.objectContaining({ destination: '0.0.0.0' }));
  expect(found.remaining).toEqual({ addresses: [], routes: [] });
});

test('changes of links are heard: new, carrier, gone', () => {
  expect(found.seen).toEqual(expect.arrayContaining(['left down none', 'left up carrier', 'left gone', 'right gone']));
  expect(found.seen).not.toContain('overrun');
});

test('IPv4 addresses are text of four numbers', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(decode(ipv4, encode(ipv4, address))).toBe(address);
    }),
  );
  for (const text of ['1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2.3.-4', '', 'a.b.c.d', '1.2.3.4 ']) {
    expect(() => encode(ipv4, text)).toThrow(TypeError);
  }
});

test('a link message of any bytes is a link or a codec error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        decodeLink(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(CodecError);
      }
    }),
  );
});
