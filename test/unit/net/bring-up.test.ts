import { describe, expect, test } from 'vitest';
import { isolated } from '../linux/isolated.ts';

/** Network cards whose cables end in other namespaces, dnsmasq as the server, BusyBox udhcpc as the client. */
const play = (scenario: string) => isolated('net/bring-up', ['--net', '--mount'], [scenario]);

describe.concurrent('the network is brought up', () => {
  test('by the first interface that is given an address; the others are as before', async () => {
    const found = (await play('three cards')) as Record<string, unknown> & { plan: { address: string } };
    const { address } = found.plan;
    expect(found).toEqual({
      link: 'a0',
      plan: {
        address: expect.stringMatching(/^10\.71\.0\.\d+$/),
        prefixLength: 24,
        routes: [{ destination: '0.0.0.0', prefixLength: 0, gateway: '10.71.0.1' }],
        dns: ['10.71.0.1', '10.71.0.2'],
        search: ['viver.test'],
        mtu: 1400,
      },
      mtu: '1400',
      reason: 'first DHCP answer (10.71.0.1) of 3 interfaces',
      // An option without a name comes as hexadecimal: "hello".
      option: '68656c6c6f',
      kernelHas: [`${address}/24`],
      routes: expect.stringContaining('default via 10.71.0.1 dev a0'),
      up: ['a0'],
      client: '@/udhcpc',
      hostnameSent: true,
      asking: ['a0'],
      written: `${address}/24\n`,
      facts: { hostname: 'desk7', ntp: ['10.71.0.1'] },
      probing: '1',
    });
  });

  test('and kept up: the lease is renewed, another address replaces the first, a release takes nothing away', async () => {
    const found = (await play('another address later')) as Record<
      'before' | 'renewed' | 'after' | 'released' | 'mtu',
      string[]
    >;
    expect(found.before).toEqual([expect.stringMatching(/^10\.72\.0\./)]);
    expect(found.renewed).toEqual(found.before);
    expect(found.after).toEqual([expect.stringMatching(/^10\.73\.0\./)]);
    expect(found.released).toEqual(found.after);
    expect(found.mtu).toBe('1300');
  });

  test('by the card that booted the machine, however quick another one is; a link-local lease is none', async () => {
    expect(await play('booted by the slow one')).toEqual({
      link: 'c0',
      address: expect.stringMatching(/^10\.78\.0\./),
      reason: expect.stringMatching(/^first DHCP answer \(10\.78\.0\.1\) of 3 interfaces, booted by it$/),
      office: [],
      controller: [],
    });
  });

  test('by another one when that has no link', async () => {
    const found = (await play('booted by one without a link')) as { seconds: number };
    expect(found).toMatchObject({
      link: 'a0',
      reason: expect.stringMatching(/of 3 interfaces; none for 02:00:00:00:00:0c, which it was booted by$/),
      ended: 'a0',
    });
    expect(found.seconds).toBeGreaterThan(8);
  });

  test('by an interface that appears and gets its link while we wait', async () => {
    const found = (await play('late card')) as Record<string, unknown>;
    expect(found).toMatchObject({ link: 'a0', kernelHas: [found.planned] });
  });

  test('not without an answer: each interface is named with what it lacked, and is as before', async () => {
    expect(await play('no answer')).toEqual({
      nothing: 'no network: no interface has appeared',
      unanswered: expect.stringMatching(/^no network: (b0: no DHCP server answered; a0: no link|a0: .*; b0: .*)$/),
      up: [],
      only6: expect.stringContaining('b0: no DHCP server answered (it has IPv6, by which VIVER does not boot'),
      broken: expect.stringContaining('b0: udhcpc on b0 cannot be started: spawn /bin/busybox ENOENT'),
      aborted: expect.stringContaining('no network'),
    });
  });

  test('and not waited for: what was under way goes on by itself, and a card without a cable has its own address', async () => {
    expect(await play('not waited for')).toEqual({
      message: expect.stringContaining('b0: no DHCP server answered'),
      asking: ['a0', 'b0'],
      later: [expect.stringMatching(/^10\.75\.0\./)],
      own: ['10.76.0.9/24'],
    });
  });

  test('and DNS names the machine where DHCP does not', async () => {
    expect(await play('named by DNS')).toEqual({
      leased: 'nothing',
      named: 'pc9.school.test',
      ofPool: 'nothing',
      unnamed: 'nothing',
      silent: 'nothing',
      noServer: 'nothing',
    });
  });

  test('with an address of its own: on the first link, or on the one the machine was booted by', async () => {
    expect(await play('static')).toEqual({
      first: { link: 'b0', reason: 'viver.ip, first with a link' },
      kernelHas: ['10.74.0.9/24'],
      routes: expect.stringContaining('default via 10.74.0.1 dev b0'),
      up: ['b0'],
      second: { link: 'c0', reason: 'viver.ip, booted by it' },
    });
  });
});
