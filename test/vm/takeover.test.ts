import { expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import type { Machine } from './harness/machine.ts';
import { addressOf, mac, pxe, SERVES, server, servingImage, statusOf } from './harness/pxe-machines.ts';

const MINUTES = 60_000;

test('of two machines booted from media one serves; switched off while a machine loads from it, the other takes over', {
  timeout: 15 * MINUTES,
}, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open();
  // In the same second: both find an empty network.
  const servers = await Promise.all(
    [1, 2].map(async (number) => cluster.powerOn(await server({ name: `takeover-server-${number}`, number, image }))),
  );
  await Promise.all(servers.map((machine) => cluster.performAll(machine)));
  const [one, two] = servers as [Machine, Machine];
  expect(await addressOf(cluster, one)).not.toBe(await addressOf(cluster, two));
  const modes = async () =>
    (await Promise.all(servers.map((each) => statusOf(cluster, each)))).map((status) => status.dhcp?.mode);
  await expect
    .poll(async () => (await modes()).sort(), { timeout: 2 * MINUTES, interval: 1000 })
    .toEqual(['full', 'standby']);
  await cluster.run((await modes())[0] === 'full' ? one : two, SERVES, 120);

  const client = await cluster.powerOn(pxe({ name: 'takeover-client', number: 3, image }));
  const httpFrom = (machine: Machine) =>
    cluster.meter.receivedBy('takeover-client').get(machine.scenario.name)?.http ?? 0;
  const [least, most] = [12_000_000, 60_000_000];
  await expect
    .poll(() => Math.max(...servers.map(httpFrom)), { timeout: 4 * MINUTES, interval: 100 })
    .toBeGreaterThan(least);
  const dead = httpFrom(one) > httpFrom(two) ? one : two;
  const other = dead === one ? two : one;
  // It is in the middle of its initrd.
  expect(httpFrom(dead)).toBeLessThan(most);
  await cluster.powerOff(dead);
  await cluster.performAll(client);
  expect(await cluster.run(client, 'cat /etc/variant')).toBe('one');
  expect(httpFrom(other)).toBeGreaterThan(40_000_000);
  expect((await statusOf(cluster, other)).dhcp?.mode).toBe('full');
  expect((await statusOf(cluster, other)).mac).toBe(mac(servers.indexOf(other) + 1));
});
