import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { writeMdSuperblock } from '../unit/media/md-superblock.ts';
import { viverKernel } from './harness/direct.ts';
import { made, madeDisk } from './harness/disks.ts';
import { filesOf, type Image, imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { runScenario } from './harness/run-scenario.ts';
import { FORBIDDEN } from './harness/scenario.ts';
import { startedByVentoy, ventoyStick } from './harness/ventoy.ts';

let small: Image;
let other: Image;
beforeAll(async () => {
  small = await smallImage();
  other = await smallImage('two');
});

/** An ISO as make iso lays it out, as far as a search for images sees it. */
async function isoOf(image: Image, variant: string): Promise<string> {
  const inputs = { description: 'iso', files: [image.sqfs, image.caibx] };
  return made(`${variant}.iso`, inputs, async (target, work) => {
    await mkdir(join(work, 'tree/viver'), { recursive: true });
    for (const [path, file] of Object.entries(filesOf(image))) await copyFile(file, join(work, 'tree', path));
    const words = ['-as', 'mkisofs', '-quiet', '-r', '-J', '-V', 'VIVER', '-o', join(work, 'iso'), join(work, 'tree')];
    execFileSync('xorriso', words, { stdio: 'pipe' });
    await rename(join(work, 'iso'), target);
  });
}

/** What the kernel says of a drive that is read although nothing is in it. */
const READS_NOTHING = [...FORBIDDEN, /I\/O error/i, /Medium not present/i, /Sense Key/i];

test('the ISO that Ventoy starts is found on its exFAT, in any folder, among others', async () => {
  const [first, second] = [await isoOf(small, 'small'), await isoOf(other, 'two')];
  const stick = await ventoyStick({
    '/small.iso': first,
    '/Linux ISOs/VIVER 2/a copy with a long name of its own.iso': second,
  });
  const path = '/Linux ISOs/VIVER 2/a copy with a long name of its own.iso';
  await runScenario({
    name: 'ventoy-named',
    kernel: await startedByVentoy(viverKernel(), stick, path, second),
    disks: [{ name: 'stick', bus: 'usb', file: stick }],
    steps: [
      { wait: rootReady({ image: 'small', medium: 'usb', device: '/dev/sda1', cow: 'ram' }), within: 90 },
      ...LOGIN,
      { run: 'cat /etc/variant', output: /^two$/ },
      ...POWER_OFF,
    ],
  });
});

test('without any word too, and what is written can go to the same partition', async () => {
  const iso = await isoOf(small, 'small');
  const stick = await ventoyStick({ '/Linux ISOs/VIVER/viver-1.0.iso': iso });
  const ext4 = await madeDisk('iso-on-ext4', {
    table: 'gpt',
    partitions: [{ fileSystem: 'ext4', label: 'KEEP', files: { '/boot/iso/Viver.ISO': iso }, sizeMiB: 160 }],
  });
  await runScenario({
    name: 'ventoy-no-word',
    kernel: viverKernel(),
    disks: [{ name: 'stick', bus: 'usb', file: stick }],
    steps: [
      { wait: rootReady({ image: 'small', medium: 'usb', device: '/dev/sda1' }), within: 90 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
  await runScenario({
    name: 'iso-and-cow-on-ext4',
    kernel: viverKernel('viver.cow=LABEL=KEEP'),
    disks: [{ name: 'disk', bus: 'virtio', file: ext4 }],
    steps: [
      { wait: rootReady({ image: 'small', medium: 'scsi', device: '/dev/vda1', cow: '/dev/vda1' }), within: 90 },
      ...LOGIN,
      { run: 'echo kept >/root/file && sync && cat /etc/variant', output: /^one$/ },
      ...POWER_OFF,
    ],
  });
});

test('the ISO that GRUB’s loopback names is taken, although a faster disk holds another image', async () => {
  const disk = await madeDisk('loopback', {
    table: 'gpt',
    partitions: [
      { fileSystem: 'ext4', label: 'OTHER', files: filesOf(other) },
      { fileSystem: 'ext4', label: 'DATA', files: { '/srv/isos/viver.iso': await isoOf(small, 'small') } },
    ],
  });
  await runScenario({
    name: 'loopback-named',
    kernel: viverKernel('iso-scan/filename=/srv/isos/viver.iso'),
    disks: [
      { name: 'disk', bus: 'usb', file: disk },
      { name: 'fast', bus: 'nvme', file: await imageDisk(other) },
    ],
    steps: [
      { wait: rootReady({ image: 'small', medium: 'usb', device: '/dev/sda2' }), within: 90 },
      ...LOGIN,
      { run: 'cat /etc/variant', output: /^one$/ },
      ...POWER_OFF,
    ],
  });
});

test('an empty CD drive and an empty card reader neither hold up the boot nor fill the console', async () => {
  await runScenario({
    name: 'empty-drives',
    kernel: viverKernel(),
    forbidden: READS_NOTHING,
    disks: [
      { name: 'cd', bus: 'sata-cd', empty: true },
      { name: 'reader', bus: 'usb', empty: true },
      { name: 'disk', bus: 'virtio', file: await imageDisk(small) },
    ],
    steps: [
      { wait: /viver: \[2\/6\] hardware/, within: 60 },
      { wait: rootReady({ image: 'small', medium: 'scsi' }), within: 20 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
});

test('with empty drives and no image the failure comes in its time, and a disc put in then boots', async () => {
  await runScenario({
    name: 'empty-drives-no-image',
    kernel: viverKernel(),
    forbidden: READS_NOTHING,
    disks: [
      { name: 'cd', bus: 'sata-cd', empty: true },
      { name: 'reader', bus: 'usb', empty: true },
    ],
    steps: [
      { wait: /waiting for a medium with an image: a medium may still be put in/, within: 60 },
      { wait: /viver: boot failed: no disk image was found/, within: 15 },
      { wait: /saw \/dev\/sr0 \(cd\): no disc in it/, within: 5 },
      { wait: /saw \/dev\/sda: no medium in it/, within: 5 },
      { prompt: /rescue# $/, within: 30 },
      { insert: 'cd', file: await isoOf(small, 'small') },
      { type: 'exit\n' },
      { wait: rootReady({ image: 'small', medium: 'cd', device: '/dev/sr0' }), within: 60 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
});

test('a card put into the reader, and a disc into the drive, while the boot waits are found', async () => {
  for (const [drive, medium] of [
    ['reader', 'usb'],
    ['cd', 'cd'],
  ] as const) {
    await runScenario({
      name: `late-medium-${medium}`,
      kernel: viverKernel('viver.wait=60'),
      forbidden: READS_NOTHING,
      disks: [
        { name: 'cd', bus: 'sata-cd', empty: true },
        { name: 'reader', bus: 'usb', empty: true },
      ],
      steps: [
        { wait: /waiting for a medium with an image: a medium may still be put in/, within: 60 },
        { pauseSeconds: 3, because: 'the drives have been asked without a medium by then' },
        { insert: drive, file: drive === 'cd' ? await isoOf(small, 'small') : await imageDisk(small) },
        { wait: rootReady({ image: 'small', medium }), within: 15 },
        ...LOGIN,
        ...POWER_OFF,
      ],
    });
  }
});

test('a member of a RAID1 is not taken for the older ext4 that shows on it', async () => {
  const stale = await imageDisk(other);
  const member = await made(
    'raid-member',
    { description: '1.0 on partition and disk', files: [stale] },
    async (target) => {
      await copyFile(stale, target);
      writeMdSuperblock(target, '0.90');
    },
  );
  const outcome = await runScenario({
    name: 'raid-member',
    kernel: viverKernel(),
    disks: [
      { name: 'member', bus: 'nvme', file: member },
      { name: 'stick', bus: 'usb', file: await imageDisk(small) },
    ],
    steps: [
      { wait: rootReady({ image: 'small', medium: 'usb' }), within: 90 },
      ...LOGIN,
      { run: 'cat /etc/variant', output: /^one$/ },
      { run: 'cat /run/viver/boot.json' },
      ...POWER_OFF,
    ],
  });
  expect(outcome.results.at(-3)).toContain('linux_raid_member');
});

/** Needs root: nothing makes subvolumes without mounting the file system. */
test('an image in a subvolume of btrfs is found', async () => {
  const disk = await made('btrfs-subvolume', { description: '@', files: [small.sqfs] }, async (target, work) => {
    const script = `truncate -s 256M $1; mkfs.btrfs -q $1; mkdir $2/mnt; mount -o loop $1 $2/mnt
      btrfs -q subvolume create $2/mnt/@; btrfs -q subvolume create $2/mnt/@home
      mkdir $2/mnt/@/viver; cp $3 $2/mnt/@/viver/small.sqfs; cp $4 $2/mnt/@/viver/small.caibx; umount $2/mnt`;
    execFileSync('unshare', ['--mount', 'sh', '-ec', script, 'sh', target, work, small.sqfs, small.caibx], {
      stdio: 'pipe',
    });
  });
  await runScenario({
    name: 'btrfs-subvolume',
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus: 'virtio', file: disk, blockBytes: 4096 }],
    steps: [
      { wait: rootReady({ image: 'small', medium: 'scsi', device: '/dev/vda' }), within: 90 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
});
