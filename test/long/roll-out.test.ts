import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { smallImage } from '../vm/harness/images.ts';
import { LOGIN, rootReady } from '../vm/harness/login.ts';
import type { Machine } from '../vm/harness/machine.ts';
import { BOOT_SECONDS, mac, type PxeMachine, pxe, SERVES, server, servingImage } from '../vm/harness/pxe-machines.ts';
import { FORBIDDEN, type Scenario } from '../vm/harness/scenario.ts';

const LONG_MS = 3_600_000;
const READY = BOOT_SECONDS * 2;
const HEALTHY = 'until [ -e /run/viver/healthy ]; do sleep 1; done';
const VIVER = '/usr/local/bin/viver';

/** A machine's boot from its card to a shell. */
async function boot(cluster: Cluster, machine: Machine, image: string): Promise<void> {
  await cluster.perform(machine, [
    { wait: rootReady({ image, medium: 'net', device: '/dev/nbd0' }), within: READY },
    ...LOGIN,
  ]);
}

const client = (of: PxeMachine, more: Partial<Scenario> = {}): Scenario => ({ ...pxe(of), mayStillRun: true, ...more });

test('a version whose init ends at once falls back by itself, is named, stops the roll-out, and is taken back', {
  timeout: LONG_MS,
}, async () => {
  const image = await servingImage();
  const init = '#!/bin/sh\necho this init ends at once\nexit 1\n';
  const broken = await servingImage(await smallImage('ill', { '/sbin/init': init }), 'broken');
  await using cluster = await Cluster.open({ slots: 'one' });
  const one = await cluster.powerOn(await server({ name: 'ill-server', number: 1, image, otherImages: [broken] }));
  await cluster.performAll(one);
  await cluster.run(one, SERVES, 180);
  await cluster.perform(one, [
    {
      run: `until ${VIVER} roll out broken; do sleep 2; done`,
      output: /serving 1: broken@[0-9a-f]{12} for all/,
      within: 180,
    },
  ]);

  const old = `serving@${image.id.slice(0, 12)}`;
  // The kernel of a version that is tried ends so, and comes again.
  const forbidden = FORBIDDEN.filter((pattern) => !pattern.test('Kernel panic'));
  const first = await cluster.powerOn(client({ name: 'ill-first', number: 2, image }, { forbidden }));
  await cluster.perform(first, [
    { wait: rootReady({ image: `broken@${broken.id.slice(0, 12)}`, medium: 'net' }), within: READY },
    { wait: /this init ends at once/, within: 60 },
    { wait: /Rebooting in 30 seconds/, within: 60 },
  ]);
  await boot(cluster, first, old);
  const name = (await cluster.run(first, 'hostname')).trim();
  const second = await cluster.powerOn(client({ name: 'ill-second', number: 3, image }));
  await boot(cluster, second, old);
  expect(await cluster.run(second, 'cat /proc/cmdline')).toContain('viver.release=serving@1,other');
  const shown = await cluster.run(one, `${VIVER} roll status`, 120);
  const why = 'started anew after \\d+ s without having been healthy';
  expect(shown).toMatch(new RegExp(`0 healthy, 0 booting, 1 failed; STOPPED: ${name} \\(${mac(2)}\\) ${why}`));
  expect(shown).toMatch(new RegExp(`failed: ${name} \\(${mac(2)}\\) ${why}`));

  await cluster.perform(one, [
    { run: `${VIVER} roll back`, output: /serving 2: serving@[0-9a-f]{12} for all/, within: 120 },
  ]);
  await cluster.perform(first, [{ type: 'reboot\n' }]);
  await boot(cluster, first, old);
  expect(await cluster.run(first, 'cat /proc/cmdline')).toMatch(/viver\.release=serving@2 /);
  await cluster.perform(first, [{ run: HEALTHY, within: 300 }]);
  const until = `until ${VIVER} roll status | grep -q '1 healthy, 0 booting, 0 failed'; do sleep 2; done`;
  await cluster.perform(one, [{ run: `${until}; ${VIVER} roll status`, within: 180 }]);
});
