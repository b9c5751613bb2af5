import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import type { Machine } from '../vm/harness/machine.ts';
import {
  BOOT_SECONDS,
  type PxeMachine,
  pxe,
  SERVES,
  server,
  servingImage,
  statusOf,
} from '../vm/harness/pxe-machines.ts';
import { perform } from '../vm/harness/steps.ts';

const LONG_MS = 2_400_000;
const HOLDS_ALL = 'until dmesg | grep -q "holds the whole image"; do sleep 1; done';
const IMAGE_FILE = 'echo 3 > /proc/sys/vm/drop_caches; sha256sum /data';
/** Its answers take so long that any loader is a slow one. */
const SLOW = { delayMs: 40 };

/** A machine with the image on its disk, from whom others can boot. */
async function bootServer(cluster: Cluster, name: string, number: number, image = servingImage()): Promise<Machine> {
  const machine = await cluster.powerOn(await server({ name, number, image: await image }));
  await cluster.performAll(machine);
  return machine;
}

/** Switches a machine on whose loader is slow, and Linux is not. */
async function bootSlowly(cluster: Cluster, of: PxeMachine): Promise<Machine> {
  const machine = await cluster.powerOn(pxe({ ...of, within: 2 * BOOT_SECONDS }));
  cluster.wire.port(of.name).rules = SLOW;
  await perform(machine, { wait: /\bLinux version /, within: 2 * BOOT_SECONDS });
  cluster.wire.port(of.name).rules = {};
  return machine;
}

const FETCHED = /viver: first stage: the initrd is here and what it should be/;

test.each([
  { name: 'slow-uefi', number: 3, firmware: 'uefi', model: 'rtl8139', cpus: 2 },
  { name: 'slow-bios', number: 4, firmware: 'bios', model: 'e1000' },
] as const)(
  'a machine whose loader is slow gets the first stage, and runs the same image: $firmware, $model',
  {
    timeout: LONG_MS,
  },
  async (of) => {
    const image = await servingImage();
    await using cluster = await Cluster.open();
    const one = await bootServer(cluster, `${of.name}-server`, 1);
    await cluster.run(one, SERVES, 120);
    const wanted = await cluster.run(one, IMAGE_FILE);
    const machine = await bootSlowly(cluster, { ...of, image });
    await perform(machine, { wait: FETCHED, within: BOOT_SECONDS });
    await cluster.performAll(machine);
    const words = await cluster.run(machine, 'cat /proc/cmdline');
    expect(words).toMatch(/ viver\.first=[0-9a-f]{64}\/\d+@/);
    expect(words).toContain(`viver.image=${image.name}@sha256:${image.id}`);
    expect(await cluster.run(machine, IMAGE_FILE)).toBe(wanted);
    await cluster.run(one, 'dmesg | grep "loads slowly: it gets the first stage"');
  },
);

test('one of the machines that give the initrd is switched off meanwhile; one that is quick gets the initrd itself', {
  timeout: LONG_MS,
}, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open();
  const one = await bootServer(cluster, 'first-gone-one', 1);
  await cluster.run(one, SERVES, 120);
  const two = await bootServer(cluster, 'first-gone-two', 2);
  await cluster.run(two, HOLDS_ALL, 300);
  const until = `until test "$(viver status --json | grep -o '"canServe":true' | wc -l)" = 2; do sleep 1; done`;
  await cluster.run(one, until, 300);
  const machine = await bootSlowly(cluster, { name: 'first-gone', number: 5, image });
  const linux = cluster.meter.receivedBy('first-gone').get('first-gone-two')?.http ?? 0;
  while ((cluster.meter.receivedBy('first-gone').get('first-gone-two')?.http ?? 0) < linux + 1_000_000)
    await machine.change(100);
  await cluster.powerOff(two);
  await perform(machine, { wait: FETCHED, within: BOOT_SECONDS });
  await cluster.performAll(machine);
});

test('an image without a first stage boots slow machines by its initrd', { timeout: LONG_MS }, async () => {
  const image = await servingImage(undefined, 'no-first', { hasFirstStage: false });
  await using cluster = await Cluster.open({ slots: 'one' });
  const one = await bootServer(cluster, 'no-first-server', 1, Promise.resolve(image));
  await cluster.run(one, SERVES, 120);
  expect((await statusOf(cluster, one)).secureBoot?.lack).toContain('first-stage.zst');
  const machine = await bootSlowly(cluster, { name: 'no-first', number: 6, image });
  await cluster.performAll(machine);
  expect(await cluster.run(machine, 'cat /proc/cmdline')).not.toContain('viver.first=');
});
