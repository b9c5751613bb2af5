/**
 * The whole way of a change: made on a machine that runs, made an image there, tried on one machine, rolled out to all.
 * What the machines fetch of the new image is measured: one without a disk, which changes without its firmware, and one that
 * keeps its chunks on a disk, which is restarted.
 */
import { execFile } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { FieldStatus } from '../../src/field/status.ts';
import { Cluster } from '../vm/harness/cluster.ts';
import { made, madeDisk } from '../vm/harness/disks.ts';
import { fastDebian } from '../vm/harness/fast-debian.ts';
import { smallImage } from '../vm/harness/images.ts';
import { isoOf } from '../vm/harness/isos.ts';
import { LOGIN, rootReady } from '../vm/harness/login.ts';
import type { Machine } from '../vm/harness/machine.ts';
import { BOOT_SECONDS, mac, type PxeMachine, pxe, SERVES, server, servingImage } from '../vm/harness/pxe-machines.ts';
import type { Disk, Scenario, Step } from '../vm/harness/scenario.ts';

const run = promisify(execFile);
const LONG_MS = 5_400_000;
const READY = BOOT_SECONDS * 2;
const COMMIT_SECONDS = 2400;
/** Of the new image's bytes. */
const MOST_FETCHED = 0.15;

const KEEPER = 4;
/** Machines that have a disk for chunks. */
const rolesOf = (...numbers: readonly number[]): string => `role keeper
  plugins basic
  machines ${numbers.map((number) => `mac:${mac(number)}`).join(' ')}
  words viver.store=LABEL=chunks
`;
/** BusyBox' init has another PATH. */
const VIVER = '/usr/local/bin/viver';
const PREHEAT = `${VIVER} field preheat > /dev/null`;
const HAS_STORE = 'grep -q " /run/viver/private/store " /proc/mounts';
const PACKAGE = 'class-hello';
const HELLO = 'hello, class';

/** A disk with a small Debian package: a program, and data that no compression shortens. */
async function packageDisk(): Promise<string> {
  const noise = createCipheriv('aes-256-ctr', Buffer.alloc(32, 7), Buffer.alloc(16)).update(Buffer.alloc(256 << 10));
  const control = `Package: ${PACKAGE}
Version: 1
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: says hello
`;
  const files: Readonly<Record<string, string | Uint8Array>> = {
    'DEBIAN/control': control,
    [`usr/bin/${PACKAGE}`]: `#!/bin/sh\necho ${HELLO}\n`,
    [`usr/share/${PACKAGE}/data`]: noise,
  };
  const deb = await made(`${PACKAGE}.deb`, { description: Object.keys(files), files: [] }, async (target, work) => {
    const tree = join(work, 'tree');
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), content);
    }
    await chmod(join(tree, `usr/bin/${PACKAGE}`), 0o755);
    await run('dpkg-deb', ['--root-owner-group', '--build', tree, join(work, 'made.deb')]);
    await rename(join(work, 'made.deb'), target);
  });
  const partition = {
    fileSystem: 'ext4',
    label: 'packages',
    files: { [`/${PACKAGE}.deb`]: deb },
    sizeMiB: 32,
  } as const;
  return madeDisk('packages', { table: 'gpt', partitions: [partition] });
}

async function chunkDisk(): Promise<Disk> {
  const partition = { fileSystem: 'ext4', label: 'chunks', sizeMiB: 768 } as const;
  return { name: 'chunks', bus: 'virtio', file: await madeDisk('chunks', { table: 'gpt', partitions: [partition] }) };
}

const ready = (image: string): readonly Step[] => [
  { wait: rootReady({ image, medium: 'net', device: '/dev/nbd0' }), within: READY },
  ...LOGIN,
];
const client = (of: Omit<PxeMachine, 'within'>, more: Partial<Scenario> = {}): Scenario => ({
  ...pxe({ ...of, within: READY }),
  ...{ memoryMiB: 1536, mayStillRun: true, ...more },
});

async function statusOf(cluster: Cluster, machine: Machine): Promise<FieldStatus> {
  const text = await cluster.run(machine, `${VIVER} field status --json`);
  return JSON.parse(text.slice(text.indexOf('{')));
}

/** What a machine fetched of the image that it runs, when it is healthy and when it holds all of it. */
async function fetched(cluster: Cluster, machine: Machine) {
  await cluster.run(machine, 'until [ -e /run/viver/healthy ]; do sleep 1; done', 400);
  const healthy = await statusOf(cluster, machine);
  await cluster.run(machine, PREHEAT, 300);
  const whole = await statusOf(cluster, machine);
  expect(whole.node.held).toBe(whole.image.chunks);
  const share = ({ traffic }: FieldStatus) => traffic.fromPeers / whole.image.size;
  return { size: whole.image.size, healthy: share(healthy), whole: share(whole) };
}

/** How often it was reset, as far as QEMU tells: it tells of some resets twice. */
const resets = (machine: Machine): number =>
  machine.qmp.events.filter(({ event, data }) => event === 'RESET' && data.reason === 'guest-reset').length;
const untilHealthy = (count: number): string =>
  `until ${VIVER} roll status | grep -q '${count} healthy, 0 booting, 0 failed'; do sleep 2; done`;

test('a package that was installed on one machine reaches two others, which fetch what changed', {
  timeout: LONG_MS,
}, async () => {
  const image = await fastDebian('class-1', { '/etc/RUNES/roles': rolesOf(KEEPER) });
  const old = `class-1@${image.id.slice(0, 12)}`;
  await using cluster = await Cluster.open({ slots: 'one' });
  const one = await cluster.powerOn({
    name: 'roll-commit-server',
    memoryMiB: 1536,
    disks: [{ name: 'cd', bus: 'sata-cd', file: await isoOf(image) }],
    nics: [{ name: 'net', model: 'virtio-net-pci', mac: mac(1), wire: 'lan' }],
    steps: [{ wait: rootReady({ image: old, medium: 'cd' }), within: READY }, ...LOGIN],
    mayStillRun: true,
  });
  await cluster.performAll(one);
  await cluster.run(one, SERVES, 180);

  const packages = { name: 'packages', bus: 'virtio', file: await packageDisk() } as const;
  const maker = client(
    { name: 'roll-commit-maker', number: 2, image, cpus: 2, disks: [packages] },
    { memoryMiB: 3072 },
  );
  const two = await cluster.powerOn(maker);
  await cluster.performAll(two);
  await cluster.perform(two, [
    { run: `mount /dev/vda1 /mnt && dpkg --install /mnt/${PACKAGE}.deb && umount /mnt`, within: 180 },
    { run: PACKAGE, output: HELLO },
  ]);
  const sum = await cluster.perform(two, [
    { run: 'viver image commit -o /root/class-2.sqfs 2>&1', within: COMMIT_SECONDS },
    { run: 'sha256sum /root/class-2.caibx', output: /^[0-9a-f]{64} / },
  ]);

  // The others boot what there was before, and come to hold all of it.
  const three = await cluster.powerOn(client({ name: 'roll-commit-diskless', number: 3, image }));
  await cluster.performAll(three);
  await cluster.run(three, PREHEAT, 600);
  const disks = [await chunkDisk()];
  const four = await cluster.powerOn(client({ name: 'roll-commit-keeper', number: KEEPER, image, disks }));
  await cluster.performAll(four);
  await cluster.run(four, `${HAS_STORE} && ${PREHEAT}`, 600);
  const next = `class-2@${sum.slice(0, 12)}`;

  const name = (await cluster.run(three, 'hostname')).trim();
  await cluster.run(one, `until viver roll try class-2 --on ${name}; do sleep 2; done`, 180);
  const wireBytes = () =>
    cluster.meter.total('roll-commit-diskless', 'http') + cluster.meter.total('roll-commit-diskless', 'field');
  const before = wireBytes();
  await cluster.perform(three, [
    { type: 'viver roll change\n' },
    ...ready(next),
    { run: PACKAGE, output: HELLO },
    { run: 'systemctl --failed --plain --no-legend', output: /^$/ },
  ]);
  expect(resets(three)).toBe(0);
  const diskless = { ...(await fetched(cluster, three)), onWire: 0 };
  diskless.onWire = (wireBytes() - before) / diskless.size;
  await cluster.run(one, untilHealthy(1), 180);

  await cluster.run(one, 'viver roll out', 180);
  await cluster.perform(four, [{ type: 'reboot\n' }, ...ready(next), { run: PACKAGE, output: HELLO }]);
  expect(resets(four)).toBeGreaterThan(0);
  const keeper = await fetched(cluster, four);
  await cluster.run(one, untilHealthy(2), 180);
  process.stderr.write(`of ${next}: without a disk ${JSON.stringify(diskless)}, with one ${JSON.stringify(keeper)}\n`);
  for (const { healthy, whole } of [diskless, keeper]) {
    expect(healthy).toBeLessThan(MOST_FETCHED);
    expect(whole).toBeLessThan(MOST_FETCHED);
  }
  expect(diskless.onWire).toBeLessThan(MOST_FETCHED);
});

test('the same with a small system: both machines keep their chunks on a disk, and are restarted', {
  timeout: LONG_MS,
}, async () => {
  const [first, second] = [3, 4];
  const image = await servingImage(await smallImage('roll-commit', { '/etc/RUNES/roles': rolesOf(first, second) }));
  await using cluster = await Cluster.open({ slots: 'one' });
  const one = await cluster.powerOn(await server({ name: 'roll-small-server', number: 1, image }));
  await cluster.performAll(one);
  await cluster.run(one, SERVES, 180);
  const start = async (name: string, number: number, disks: readonly Disk[], memoryMiB = 1024): Promise<Machine> => {
    const machine = await cluster.powerOn(client({ name: `roll-small-${name}`, number, image, disks }, { memoryMiB }));
    await cluster.performAll(machine);
    return machine;
  };
  const keep = async (name: string, number: number): Promise<Machine> => {
    const machine = await start(name, number, [await chunkDisk()]);
    await cluster.run(machine, `${HAS_STORE} && ${PREHEAT}`, 600);
    return machine;
  };
  const two = await start('maker', 2, [], 2048);
  await cluster.run(two, `echo '${HELLO}' > /etc/hello`);
  const [sum, three] = await Promise.all([
    cluster.perform(two, [
      { run: `${VIVER} image commit -o /root/next.sqfs 2>&1`, within: COMMIT_SECONDS },
      { run: 'sha256sum /root/next.caibx', output: /^[0-9a-f]{64} / },
    ]),
    keep('first', first),
  ]);
  const four = await keep('second', second);
  const next = `next@${sum.slice(0, 12)}`;
  const restart = async (machine: Machine) => {
    await cluster.perform(machine, [{ type: 'reboot\n' }, ...ready(next), { run: 'cat /etc/hello', output: HELLO }]);
    return await fetched(cluster, machine);
  };
  const name = (await cluster.run(three, 'hostname')).trim();
  await cluster.run(one, `until ${VIVER} roll try next --on ${name}; do sleep 2; done`, 180);
  const tried = await restart(three);
  await cluster.run(one, `${untilHealthy(1)}; ${VIVER} roll out`, 180);
  const rolled = await restart(four);
  await cluster.run(one, untilHealthy(2), 180);
  process.stderr.write(`of ${next}: ${JSON.stringify({ tried, rolled })}\n`);
  for (const { healthy, whole } of [tried, rolled]) {
    expect(healthy).toBeLessThan(MOST_FETCHED);
    expect(whole).toBeLessThan(MOST_FETCHED);
  }
});
