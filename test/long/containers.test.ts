import { beforeAll, test } from 'vitest';
import { viverKernel } from '../vm/harness/direct.ts';
import { madeDisk } from '../vm/harness/disks.ts';
import { type Image, imageDisk } from '../vm/harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import type { Step } from '../vm/harness/scenario.ts';
import { containersImage } from './trees.ts';

let image: Image;
beforeAll(async () => {
  image = await containersImage();
});

/** A root for a container, of one program; no registry is asked. */
const ROOTFS =
  'mkdir -p /tmp/c/bin && cp /bin/busybox /tmp/c/bin/ && ln -sf busybox /tmp/c/bin/sh && tar -C /tmp/c -cf /tmp/c.tar .';

const engine = (name: string): readonly Step[] => [
  { run: `${name} import /tmp/c.tar tiny:1 >/dev/null && ${name} images`, output: /tiny\s+1/, within: 120 },
  // an overlay over the image's layers, in which the container writes
  {
    run: `${name} run --rm --network none tiny:1 /bin/busybox sh -c 'busybox mkdir -p /proc; busybox echo written > /file; busybox cat /file; busybox grep " / " /proc/mounts'`,
    output: /^written\n+overlay \/ overlay /m,
    within: 180,
  },
];

const BOTH: readonly Step[] = [
  { run: 'systemctl is-system-running --wait', output: 'running', within: 180 },
  { run: ROOTFS },
  { run: 'docker info --format "{{.Driver}}"', output: /^overlay2$/m, within: 180 },
  { run: 'podman info --format "{{.Store.GraphDriverName}}"', output: /^overlay$/m, within: 120 },
  ...engine('docker'),
  ...engine('podman'),
];

test('docker and podman run a container on an overlay of their own, with the writes in RAM', async () => {
  await runScenario({
    name: 'containers-ram',
    memoryMiB: 2048,
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    steps: [
      { wait: rootReady({ image: 'containers', cow: 'ram' }), within: 120 },
      ...LOGIN,
      ...BOTH,
      // programs that AppArmor confines work on the union, files that were written among them
      { run: '[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ]' },
      { run: '! dmesg | grep "apparmor=.DENIED"' },
      ...POWER_OFF,
    ],
  });
});

test('with the writes on a disk containers and their images are there at the next boot', async () => {
  const file = await madeDisk('containers-cow', {
    table: 'gpt',
    partitions: [{ fileSystem: 'ext4', label: 'changes', sizeMiB: 1024 }],
  });
  const boot: readonly Step[] = [{ wait: rootReady({ image: 'containers' }), within: 120 }, ...LOGIN];
  await runScenario({
    name: 'containers-disk',
    memoryMiB: 2048,
    kernel: viverKernel('viver.cow=LABEL=changes'),
    disks: [
      { name: 'disk', bus: 'virtio', file: await imageDisk(image) },
      { name: 'changes', bus: 'usb', file },
    ],
    steps: [
      ...boot,
      ...BOTH,
      { run: 'docker run --name kept --network none tiny:1 /bin/busybox touch /kept', within: 180 },
      { type: 'reboot\n' },
      { expect: 'reset', within: 120 },
      ...boot,
      { run: 'docker start -a kept && docker diff kept', output: /A \/kept/, within: 240 },
      { run: 'podman run --rm --network none tiny:1 /bin/busybox true', within: 180 },
      ...POWER_OFF,
    ],
  });
});
