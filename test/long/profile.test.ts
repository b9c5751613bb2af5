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
  await using cluster = await Cluster.open();
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
  const said = await cluster.run(two, 'until dmesg | grep "profile: what it names"; do sleep 1; done', 120);
  const [, named = '', others = ''] = /is all here \((\d+) of its chunks were read, (\d+) others\)/.exec(said) ?? [];
  // Most of what the second reads is what the first has read.
  expect(Number(named)).toBeGreaterThan(Number(others));
  const page = await cluster.run(one, 'wget -qO- http://127.0.0.1:20080/status.json || viver status --json', 60);
  expect(page).toMatch(/"read":\{"parts":"\d*9\d*","boots":1,/);
});
