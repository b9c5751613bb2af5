import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { viverKernel } from './harness/direct.ts';
import { cutPartition, made, madeDisk } from './harness/disks.ts';
import { builtImage, type Image, imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { product, vmDirectory } from './harness/products.ts';
import { runScenario } from './harness/run-scenario.ts';
import type { Step } from './harness/scenario.ts';

const run = promisify(execFile);

let debian: Image;
beforeAll(async () => {
  debian = await builtImage('debian');
});

/** A disk of this test's own with an empty ext4 partition labelled `changes`. */
async function emptyCowDisk(name: string): Promise<string> {
  const partition = { fileSystem: 'ext4', label: 'changes', sizeMiB: 256 } as const;
  const original = await madeDisk('cow', { table: 'gpt', partitions: [partition] });
  const disk = join(vmDirectory('disks'), `${name}.img`);
  await copyFile(original, disk);
  return disk;
}

/** Throws when the file system was not left clean or has any error. */
async function expectCleanPartition(disk: string): Promise<void> {
  const partition = `${disk}.partition`;
  await cutPartition(disk, 1, partition);
  const { stdout } = await run('dumpe2fs', ['-h', partition]);
  expect(stdout).toMatch(/Filesystem state:\s+clean\n/);
  expect(stdout).not.toMatch(/needs_recovery/);
  await run('fsck.ext4', ['-f', '-n', partition]);
  await rm(partition);
}

test('with viver.toram the medium is detached and every byte of the image stays readable', async () => {
  const hash = createHash('md5')
    .update(await readFile(debian.sqfs))
    .digest('hex');
  await runScenario({
    name: 'toram',
    kernel: viverKernel('viver.toram'),
    memoryMiB: 3072,
    disks: [{ name: 'stick', bus: 'usb', file: await imageDisk(debian) }],
    steps: [
      { wait: rootReady({ image: 'debian', medium: 'usb' }), within: 120 },
      ...LOGIN,
      { detach: 'stick' },
      // QEMU has taken it away before the kernel, and devtmpfs, know.
      { run: 'until ! ls /dev/sda*; do sleep 1; done', within: 20 },
      { run: 'echo 3 > /proc/sys/vm/drop_caches; tar -cf - -C / usr/bin etc | wc -c', output: /^\d{8,}$/, within: 60 },
      { run: 'md5sum < "$(findmnt -no SOURCE /run/viver/lower)"', output: new RegExp(hash), within: 60 },
      ...POWER_OFF,
    ],
  });
});

/** Two boots with the same cow disk: what the first writes the second finds, and it is left clean. */
interface CowBoots {
  readonly name: string;
  readonly image: Image;
  readonly first: readonly Step[];
  readonly second: readonly Step[];
}

const cowReady = (image: Image): Step => ({
  wait: rootReady({ image: image.name, medium: 'scsi', cow: '\\S*(LABEL=changes|/dev/sda1)\\S*' }),
  within: 120,
});

async function cowScenario(image: Image, cow: string) {
  const disks = [
    { name: 'image', bus: 'virtio', file: await imageDisk(image) },
    { name: 'changes', bus: 'usb', file: cow, keepWrites: true },
  ] as const;
  return { kernel: viverKernel('viver.cow=LABEL=changes'), disks };
}

async function overTwoBoots({ name, image, first, second }: CowBoots) {
  const cow = await emptyCowDisk(name);
  const scenario = await cowScenario(image, cow);
  for (const [boot, steps] of [first, second].entries()) {
    const all = [cowReady(image), ...LOGIN, ...steps, ...POWER_OFF];
    await runScenario({ name: `${name}-boot-${boot + 1}`, ...scenario, steps: all });
    await expectCleanPartition(cow);
  }
}

async function overAReboot({ name, image, first, second }: CowBoots) {
  const cow = await emptyCowDisk(name);
  const reboot: readonly Step[] = [{ type: 'reboot\n' }, { expect: 'reset', within: 90 }];
  const wasClean = { run: '! dmesg | grep "EXT4-fs.*recover"' };
  await runScenario({
    name,
    ...(await cowScenario(image, cow)),
    steps: [
      ...[cowReady(image), ...LOGIN, ...first, ...reboot],
      ...[cowReady(image), ...LOGIN, wasClean, ...second, ...POWER_OFF],
    ],
  });
  await expectCleanPartition(cow);
}

test('viver.cow keeps changes of a systemd image over reboot, which starts the machine again', async () => {
  await overAReboot({
    name: 'cow-systemd',
    image: debian,
    first: [
      { run: '[ "$(cat /proc/1/comm)" = systemd ]' },
      { run: 'echo kept > /root/kept; rm /etc/issue.net; dd if=/dev/urandom of=/var/big bs=1M count=20 status=none' },
    ],
    second: [
      { run: 'cat /root/kept', output: /^kept$/ },
      { run: '[ ! -e /etc/issue.net ] && [ "$(stat -c %s /var/big)" = 20971520 ]' },
    ],
  });
});

test('viver.cow keeps changes over two boots of a BusyBox image, and its disk is left clean', async () => {
  await overTwoBoots({
    name: 'cow-busybox',
    image: await smallImage(),
    first: [{ run: 'echo kept > /root/kept' }],
    second: [{ run: 'cat /root/kept', output: /^kept$/ }],
  });
});

test('viver.cow on a disk that is not there is an error, not RAM', async () => {
  await runScenario({
    name: 'cow-nowhere',
    kernel: viverKernel('viver.cow=LABEL=nowhere', 'viver.wait=3'),
    disks: [{ name: 'image', bus: 'virtio', file: await imageDisk(await smallImage()) }],
    steps: [
      { wait: /viver: .*LABEL=nowhere/, within: 90 },
      { prompt: /rescue# $/, within: 60 },
      { type: 'poweroff -f\n' },
      { expect: 'power-off', within: 20 },
    ],
  });
});

test('a sysvinit image boots and switches off, and its disk of changes is left clean', async () => {
  const cow = await emptyCowDisk('cow-sysvinit');
  const image = await builtImage('sysvinit');
  await runScenario({
    name: 'sysvinit',
    ...(await cowScenario(image, cow)),
    steps: [
      cowReady(image),
      ...LOGIN,
      { run: 'cat /proc/1/comm', output: /^init$/ },
      { run: 'echo kept > /root/kept' },
      ...POWER_OFF,
    ],
  });
  await expectCleanPartition(cow);
});

test('the initrd unpacked and packed again by cpio boots', async () => {
  const original = product('viverrd.zst');
  const initrd = await made('repacked.cpio', { description: 'repacked', files: [original] }, async (target, work) => {
    const tree = join(work, 'tree');
    await mkdir(tree);
    const script = 'cd "$1" && zstd -dcq "$2" | cpio --quiet -idm && find . | cpio --quiet -o -H newc > "$3"';
    await run('sh', ['-ec', script, 'sh', tree, original, target]);
  });
  await runScenario({
    name: 'repacked-initrd',
    kernel: { ...viverKernel(), initrd },
    disks: [{ name: 'image', bus: 'virtio', file: await imageDisk(await smallImage()) }],
    steps: [{ wait: rootReady({ image: 'small' }), within: 90 }, ...LOGIN, ...POWER_OFF],
  });
});
