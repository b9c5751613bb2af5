import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { LOGIN } from '../vm/harness/login.ts';
import { product } from '../vm/harness/products.ts';
import { mac, SERVES } from '../vm/harness/pxe-machines.ts';
import type { Step } from '../vm/harness/scenario.ts';

const MINUTES = 60_000;
/** Seconds for the whole boot of one machine. */
const BOOT_SECONDS = 600;
const STEPS: readonly Step[] = [{ prompt: /login: $/, within: BOOT_SECONDS }, ...LOGIN.slice(1)];

/** The last line of `viver profile show`. */
function counted(text: string): { share: number; ranges: number } {
  const [, share = '', ranges = ''] = /MB \((\d+\.\d) %\) in (\d+) ranges, 1 boots/.exec(text) ?? [];
  return { share: Number(share), ranges: Number(ranges) };
}

test('the first machine, booted from a CD, tells the next one what its boot has read', {
  timeout: 25 * MINUTES,
}, async () => {
  await using cluster = await Cluster.open({ slots: 'one' });
  const one = await cluster.powerOn({
    name: 'profile-cd',
    cpus: 2,
    memoryMiB: 1536,
    disks: [{ name: 'cd', bus: 'sata-cd', file: product('viver.iso') }],
    nics: [{ name: 'net', model: 'virtio-net-pci', mac: mac(1), wire: 'lan' }],
    steps: STEPS,
  });
  await cluster.performAll(one);
  await cluster.run(one, SERVES, BOOT_SECONDS);
  const two = await cluster.powerOn({
    name: 'profile-pxe',
    memoryMiB: 1024,
    nics: [{ name: 'net', model: 'e1000', mac: mac(2), wire: 'lan', bootIndex: 1 }],
    steps: STEPS,
  });
  await cluster.performAll(two);
  const seen = counted(await cluster.run(one, 'viver profile show', 60));
  // Some of the image, in many places.
  expect(seen.share).toBeGreaterThan(2);
  expect(seen.share).toBeLessThan(75);
  expect(seen.ranges).toBeGreaterThan(20);
  // The second was told, its boot was as it was told, and now it tells others of both.
  const known = (boots: number) =>
    `until viver status --json | grep -o '"boots":${boots},"chunks":[0-9]*'; do sleep 2; done`;
  expect(await cluster.run(two, known(2), 180)).toMatch(/"boots":2,"chunks":\d+/);
  expect(await cluster.run(one, known(1), 60)).toMatch(/"boots":1,"chunks":\d+/);
});
