import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { newcArchive } from './harness/archive.ts';
import { directKernel } from './harness/direct.ts';
import { made, madeDisk } from './harness/disks.ts';
import { arpFrame, parseArp } from './harness/frame.ts';
import { powerOn } from './harness/machine.ts';
import { BUILD } from './harness/products.ts';
import { performAll, runScenario } from './harness/run-scenario.ts';
import type { DirectKernel, Scenario, Step } from './harness/scenario.ts';
import { Wire } from './harness/wire.ts';
import { WireHost } from './harness/wire-host.ts';

const BUSYBOX = '/bin/busybox';

/** A shell on the serial console as the whole system, with e1000's driver: what the harness is tried with. */
async function shellKernel(): Promise<DirectKernel> {
  const modules = join(BUILD, 'kernel/lib/modules');
  const [version = ''] = await readdir(modules);
  const driver = join(modules, version, 'kernel/drivers/net/ethernet/intel/e1000/e1000.ko');
  const init = [
    '#!/busybox sh',
    '/busybox mkdir -p /proc /sys /dev /bin; /busybox --install -s /bin',
    'export PATH=/bin; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev',
    'stty -echo; echo "shell is up"; exec setsid cttyhack sh',
    '',
  ].join('\n');
  const initrd = await made('shell.cpio', { description: init, files: [BUSYBOX, driver] }, async (target) => {
    const archive = newcArchive([
      { path: 'dev', mode: 0o040755 },
      { path: 'busybox', mode: 0o100755, data: await readFile(BUSYBOX) },
      { path: 'e1000.ko', mode: 0o100644, data: await readFile(driver) },
      { path: 'init', mode: 0o100755, data: Buffer.from(init) },
    ]);
    await writeFile(target, archive);
  });
  return directKernel(initrd, 'loglevel=4');
}

test('a machine boots, answers commands, restarts and switches itself off', async () => {
  const outcome = await runScenario({
    name: 'harness-shell',
    memoryMiB: 512,
    kernel: await shellKernel(),
    steps: [
      { wait: 'shell is up', within: 60 },
      { run: 'cat /proc/cmdline', output: /^console=ttyS0 mitigations=off loglevel=4$/ },
      { run: 'false', status: 1 },
      { type: 'reboot -f\n' },
      { expect: 'reset', within: 20 },
      { wait: 'shell is up', within: 60 },
      { type: 'poweroff -f\n' },
      { expect: 'power-off', within: 20 },
    ],
  });
  expect(outcome.results[1]).toBe('console=ttyS0 mitigations=off loglevel=4');
});

test('a step that does not come true names scenario, step, deadline and the last lines, and QEMU is gone', async () => {
  const failed = await runScenario({
    name: 'harness-deadline',
    memoryMiB: 512,
    kernel: await shellKernel(),
    steps: [
      { wait: 'shell is up', within: 60 },
      { wait: /never printed/, within: 1 },
    ],
  }).catch((error: Error) => error);
  expect(failed).toBeInstanceOf(Error);
  expect(String(failed)).toMatch(/harness-deadline: step 2 of 2 .*never printed.*: not within \d+ s/);
  expect(String(failed)).toContain('shell is up');
});

test('a forbidden console line ends the scenario at once', async () => {
  const failed = await runScenario({
    name: 'harness-panic',
    memoryMiB: 512,
    kernel: await shellKernel(),
    steps: [{ wait: 'shell is up', within: 60 }, { type: 'exit\n' }, { wait: /never printed/, within: 60 }],
  }).catch((error: Error) => error);
  expect(String(failed)).toMatch(/the console says: .*Kernel panic/);
});

test('machines on one wire hear each other, until a cable is pulled and after it is put back', async () => {
  const wires = { lan: new Wire() };
  const kernel = await shellKernel();
  const machine = (number: number, steps: readonly Step[]): Scenario => ({
    name: `harness-wire-${number}`,
    memoryMiB: 512,
    cpus: 1,
    kernel,
    nics: [{ name: 'net', model: 'e1000', mac: `52:54:00:00:00:0${number}`, wire: 'lan' }],
    steps: [
      { wait: 'shell is up', within: 60 },
      { run: `insmod /e1000.ko && ip link set eth0 up && ip addr add 10.0.0.${number}/24 dev eth0` },
      ...steps,
    ],
  });
  await using one = await powerOn(machine(1, []), { wires, slots: 'all' });
  await using two = await powerOn(
    machine(2, [
      // The card negotiates its link for some seconds, and the other machine may still be setting its address.
      { run: 'until ping -c 1 -W 2 10.0.0.1; do sleep 1; done', output: '1 packets received', within: 60 },
      { link: 'net', up: false },
      { run: 'ping -c 2 -W 1 10.0.0.1', status: 1 },
      { link: 'net', up: true },
      { run: 'until ping -c 1 -W 2 10.0.0.1; do sleep 1; done', output: '1 packets received', within: 60 },
    ]),
    { wires, slots: 'none' },
  );
  await Promise.all([performAll(one), performAll(two)]);
  expect(wires.lan.frames).toBeGreaterThan(6);
});

test('a disk made with a table and file systems is seen by the machine as it was declared', async () => {
  const disk = await madeDisk('harness-disk', {
    table: 'gpt',
    partitions: [
      { fileSystem: 'ext4', label: 'first', files: { '/viver/a.txt': BUSYBOX } },
      { fileSystem: 'vfat', label: 'SECOND', files: { '/viver/b.txt': BUSYBOX } },
    ],
  });
  await runScenario({
    name: 'harness-disk',
    memoryMiB: 512,
    kernel: await shellKernel(),
    disks: [{ name: 'disk', bus: 'sata', file: disk }],
    steps: [
      { wait: 'shell is up', within: 60 },
      { run: 'cat /sys/bus/pci/devices/*/class', output: /0x010601/ },
      { type: 'poweroff -f\n' },
      { expect: 'power-off', within: 20 },
    ],
  });
});

test('what is made of a made file is not made anew because that file was used again', async () => {
  const base = () => made('harness-base', { description: 'base', files: [] }, (target) => writeFile(target, 'base'));
  const derived = async () =>
    made('harness-derived', { description: 'derived', files: [await base()] }, (target) => writeFile(target, ''));
  const first = await derived();
  await sleep(20);
  expect(await derived()).toBe(first);
});

test("a host on the wire, whose programs are this machine's own, answers there", async () => {
  const wire = new Wire();
  await using host = await WireHost.plugInto(wire, 'host', '10.77.0.254/24');
  const from = { mac: '52:54:00:77:00:09', ip: '10.77.0.9' };
  const { promise, resolve } = Promise.withResolvers<string>();
  using port = wire.attach('asker', (frame) => {
    const arp = parseArp(frame);
    if (arp?.operation === 'reply') resolve(arp.from.ip);
  });
  const question = arpFrame({ operation: 'request', from, to: { mac: '00:00:00:00:00:00', ip: '10.77.0.254' } });
  const again = setInterval(() => port.send(question), 100);
  expect(await promise.finally(() => clearInterval(again))).toBe('10.77.0.254');
  host.limit(4);
  host.limit(undefined);
});
