import { describe, expect, test } from 'vitest';
import { play } from '../field/runes/play.ts';
import { Cluster } from '../vm/harness/cluster.ts';
import { smallImage } from '../vm/harness/images.ts';
import type { Machine } from '../vm/harness/machine.ts';
import { addressOf, mac, pxe, SERVES, server, servingImage, statusOf } from '../vm/harness/pxe-machines.ts';
import type { Scenario } from '../vm/harness/scenario.ts';

const SILENCE = { bare: [], windows: [], dhclient: [], udhcpc: [], android: [] };

describe('two clusters of different images on one wire that multicast does not get through', () => {
  test('switched on all at once they agree on one server, and each image has one field', async () => {
    const found = (await play('all at once', 'cluster-scenarios')) as { firmware: Record<string, string[]> };
    expect(found).toMatchObject({ peers: [1, 1, 1, 1], changed: true, heard: SILENCE });
    expect(found.firmware['0']).toContain('OFFER undionly.kpxe');
    expect(found.firmware['0']).not.toContain('NAK');
  });

  test('beside another DHCP server one of them answers firmware, until it is switched off', async () => {
    expect(await play('beside another server', 'cluster-scenarios')).toEqual({
      mode: 'proxy',
      still: 1,
      bios: { 0: [expect.stringMatching(/^OFFER/)] },
      heard: SILENCE,
    });
  });
});

const LONG_MS = 2_400_000;
const FIRST_OF_ROOM_B = 0x20;
/** Of the second image: the machines that it is for, whoever serves. */
const ROLES = `role room-b
  plugins basic
  machines mac:${mac(FIRST_OF_ROOM_B).slice(0, -1)}*

role node
  plugins basic
  machines any
`;
const DATA = 'echo 3 > /proc/sys/vm/drop_caches; sha256sum /data';

async function boot(cluster: Cluster, scenario: Scenario): Promise<Machine> {
  const machine = await cluster.powerOn(scenario);
  await cluster.performAll(machine);
  return machine;
}

/** Which of the two servers gave a machine kernel and initrd, and which the blocks of its root. */
function giversOf(cluster: Cluster, machine: string): { readonly http: string[]; readonly field: string[] } {
  const of = (kind: 'http' | 'field') =>
    [...cluster.meter.receivedBy(machine)].filter(([, bytes]) => bytes[kind] > 1_000_000).map(([name]) => name);
  return { http: of('http'), field: of('field') };
}

test('two clusters in machines: each client has its image, kernel and field; when the server goes the other serves', {
  timeout: LONG_MS,
}, async () => {
  const one = await servingImage();
  const two = await servingImage(await smallImage('two', { '/etc/RUNES/roles': ROLES }), 'other');
  await using cluster = await Cluster.open({ slots: 'one' });
  const first = await boot(cluster, await server({ name: 'clusters-one', number: 1, image: one }));
  await cluster.run(first, SERVES, 120);
  const second = await boot(cluster, await server({ name: 'clusters-two', number: 2, image: two }));
  // The first has heard of the second's roles: it sends their machines on.
  const script = `http://${await addressOf(cluster, first)}:20080/boot/boot.ipxe?mac=${mac(FIRST_OF_ROOM_B).replaceAll(':', '-')}`;
  await cluster.run(first, `until wget -qO- '${script}' | grep -q '^chain '; do sleep 1; done`, 240);
  expect((await statusOf(cluster, first)).dhcp?.mode).toBe('full');
  expect((await statusOf(cluster, second)).dhcp?.mode).toBe('standby');

  const plain = await boot(cluster, pxe({ name: 'clusters-any', number: 0x10, image: one }));
  expect(await cluster.run(plain, 'cat /etc/variant')).toBe('one');
  expect(await cluster.run(plain, DATA)).toBe(await cluster.run(first, DATA));
  expect(giversOf(cluster, 'clusters-any')).toEqual({ http: ['clusters-one'], field: ['clusters-one'] });
  await cluster.powerOff(plain);

  const named = await boot(cluster, pxe({ name: 'clusters-room-b', number: FIRST_OF_ROOM_B, image: two }));
  expect(await cluster.run(named, 'cat /etc/variant')).toBe('two');
  const wanted = await cluster.run(second, DATA);
  expect(await cluster.run(named, DATA)).toBe(wanted);
  expect(giversOf(cluster, 'clusters-room-b')).toEqual({ http: ['clusters-two'], field: ['clusters-two'] });

  // The next client is switched on in the same moment; its firmware asks until somebody answers.
  await cluster.powerOff(first);
  const next = await boot(cluster, pxe({ name: 'clusters-next', number: 0x11, image: two }));
  expect(await cluster.run(next, DATA)).toBe(wanted);
  // Whichever of that cluster's machines has the smallest node id: a client may be it.
  const left = [second, named, next];
  const modes = await Promise.all(left.map(async (machine) => (await statusOf(cluster, machine)).dhcp?.mode));
  expect(modes.filter((mode) => mode === 'full')).toHaveLength(1);
  const all = await Promise.all(left.map((machine) => addressOf(cluster, machine)));
  expect(new Set(all).size).toBe(all.length);
});
