import { expect, test } from 'vitest';
import type { FieldStatus } from '../../src/field/status.ts';
import { Cluster } from '../vm/harness/cluster.ts';
import { fastDebian } from '../vm/harness/fast-debian.ts';
import type { Image } from '../vm/harness/images.ts';
import { LOGIN, rootReady } from '../vm/harness/login.ts';
import type { Machine } from '../vm/harness/machine.ts';
import { BOOT_SECONDS, pxe, SERVES, server } from '../vm/harness/pxe-machines.ts';
import { FORBIDDEN, type Step } from '../vm/harness/scenario.ts';

const LONG_MS = 3_600_000;
const READY = BOOT_SECONDS * 2;
/** How often it was reset, as far as QEMU tells: it tells of some resets twice. */
const resets = (machine: Machine): number =>
  machine.qmp.events.filter(({ event, data }) => event === 'RESET' && data.reason === 'guest-reset').length;
const named = ({ name, id }: Image) => `${name}@${id.slice(0, 12)}`;
/** Where a machine is on its way from one system to the next. */
const MARKS: Readonly<Record<string, RegExp>> = {
  systemEnds: /Reached target.*(shutdown|reboot)\.target/i,
  firmware: /^SeaBIOS/,
  loader: /^iPXE \d/,
  kernel: /\/viverrd\.zst\.\.\..* ok$/,
  init: /viver: \[1\/\d+\]/,
  rootReady: /viver: root ready/,
  login: /login: /,
};
/** Seconds from `startMs` to each mark that was passed since. */
function passed(machine: Machine, startMs: number): Readonly<Record<string, number>> {
  const lines = machine.console.lines.filter(({ atMs }) => atMs >= startMs);
  const found = Object.entries(MARKS).flatMap(([name, pattern]) => {
    const line = lines.find(({ text }) => pattern.test(text));
    return line === undefined ? [] : [[name, Math.round((line.atMs - startMs) / 100) / 10] as const];
  });
  return Object.fromEntries(found);
}

const HEALTHY = `until viver roll status | grep -q '1 healthy, 0 booting, 0 failed'; do sleep 2; done`;
const ready = (image: string): readonly Step[] => [
  { wait: rootReady({ image, medium: 'net', device: '/dev/nbd0' }), within: READY },
  ...LOGIN,
];

/** A boot server with two images, and a machine without a disk that runs the first. */
async function start(cluster: Cluster, name: string, one: Image, other: Image) {
  const boots = await cluster.powerOn(
    await server({ name: `${name}-server`, number: 1, image: one, otherImages: [other] }),
  );
  await cluster.performAll(boots);
  await cluster.run(boots, SERVES, 180);
  // The kernel of the version that is ill ends so.
  const forbidden = FORBIDDEN.filter((pattern) => !pattern.test('Kernel panic'));
  const machine = await cluster.powerOn({
    ...pxe({ name: `${name}-machine`, number: 2, image: one, within: READY }),
    ...{ memoryMiB: 1536, forbidden, mayStillRun: true },
  });
  await cluster.performAll(machine);
  // On a busy host it hears of the boot server late, and takes itself for one until then.
  const hears = "until viver roll status | grep '^boot server: [0-9.]*;'; do sleep 2; done";
  await cluster.run(machine, hears, 180);
  return { boots, machine };
}

test('a machine begins anew with another version without its firmware, and is healthy', {
  timeout: LONG_MS,
}, async () => {
  const one = await fastDebian('class-1');
  const two = await fastDebian('class-2', { '/etc/variant': 'two\n' });
  await using cluster = await Cluster.open({ slots: 'one' });
  const { boots, machine } = await start(cluster, 'change', one, two);
  const bytes = () => cluster.meter.total('change-machine', 'http') + cluster.meter.total('change-machine', 'field');
  const taking = async (steps: readonly Step[]) => {
    const [startMs, before] = [machine.nowMs(), bytes()];
    await cluster.perform(machine, steps);
    return { seconds: (machine.nowMs() - startMs) / 1000, bytes: bytes() - before, passed: passed(machine, startMs) };
  };
  /** Of the image that it runs, what it fetched when it was healthy. */
  const fetchedShare = async (): Promise<number> => {
    await cluster.run(machine, 'until [ -e /run/viver/healthy ]; do sleep 1; done', 400);
    const text = await cluster.run(machine, 'viver field status --json');
    const { image, traffic }: FieldStatus = JSON.parse(text.slice(text.indexOf('{')));
    return traffic.fromPeers / image.size;
  };

  await cluster.perform(machine, [
    { run: 'viver roll change', output: /^this machine runs class-1@[0-9a-f]{12} already/, within: 120 },
  ]);
  // What it has of the old image in memory goes over to the new one.
  await cluster.run(machine, 'viver field preheat > /dev/null', 300);
  await cluster.run(boots, 'until viver roll out class-2; do sleep 2; done', 180);
  const changed = await taking([{ type: 'viver roll change\n' }, ...ready(named(two))]);
  expect(resets(machine)).toBe(0);
  await cluster.perform(machine, [
    { run: 'cat /etc/variant /proc/cmdline', output: /^two\nviver\.image=class-2@sha256:.* viver\.release=class-1@1 / },
    { run: 'systemctl --failed --plain --no-legend', output: /^$/ },
  ]);
  const changedShare = await fetchedShare();
  expect(changedShare).toBeLessThan(0.15);
  await cluster.run(boots, HEALTHY, 180);

  // By its firmware, for comparison.
  await cluster.run(boots, 'viver roll back', 120);
  const restarted = await taking([{ type: 'reboot\n' }, ...ready(named(one))]);
  expect(resets(machine)).toBeGreaterThan(0);
  const restartedShare = await fetchedShare();
  await cluster.run(boots, HEALTHY, 300);
  console.log(`without firmware ${JSON.stringify({ ...changed, share: changedShare })}`);
  console.log(`by firmware ${JSON.stringify({ ...restarted, share: restartedShare })}`);
});

test('a version that is ill, taken up without firmware, is left by a real reset, for the version before', {
  timeout: LONG_MS,
}, async () => {
  const one = await fastDebian('class-1');
  const ill = await fastDebian('class-3', { '/usr/sbin/init': '#!/bin/sh\necho this init ends at once\nexit 1\n' });
  await using cluster = await Cluster.open({ slots: 'one' });
  const { boots, machine } = await start(cluster, 'change-ill', one, ill);
  await cluster.run(boots, 'until viver roll out class-3; do sleep 2; done', 180);
  await cluster.perform(machine, [
    { type: 'viver roll change\n' },
    { wait: rootReady({ image: named(ill) }), within: READY },
    { wait: /Rebooting in 30 seconds/, within: 120 },
  ]);
  expect(resets(machine)).toBe(0);
  await cluster.perform(machine, ready(named(one)));
  expect(resets(machine)).toBeGreaterThan(0);
  const shown = await cluster.run(boots, 'viver roll status', 120);
  expect(shown).toMatch(/STOPPED: \S+ \(52:54:00:88:00:02\) started anew after \d+ s without having been healthy/);
});
