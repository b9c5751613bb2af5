import { beforeAll, expect, test } from 'vitest';
import { bootBehind } from './harness/boot-ways.ts';
import { viverKernel } from './harness/direct.ts';
import { madeDisk } from './harness/disks.ts';
import { changedImage, filesOf, type Image, imageDisk, loaderIso, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { runScenario } from './harness/run-scenario.ts';

const MB = 1_000_000;
const SLOW = 2 * MB;
/** Slower than anything is on a busy host. */
const VERY_SLOW = MB / 4;

let small: Image;
beforeAll(async () => {
  small = await smallImage();
});

test('the loader is on a CD and the image on an NVMe disk', async () => {
  await runScenario({
    name: 'loader-cd-image-nvme',
    disks: [
      { name: 'loader', bus: 'ide-cd', file: await loaderIso() },
      { name: 'disk', bus: 'nvme', file: await imageDisk(small) },
    ],
    steps: [
      { wait: rootReady({ image: 'small', medium: 'nvme', device: '/dev/nvme0n1p1', cow: 'ram' }), within: 150 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
});

test('of two media the fast one is taken: it ranks higher', async () => {
  const disk = await imageDisk(small);
  await runScenario({
    name: 'fast-nvme-slow-usb',
    kernel: viverKernel(),
    disks: [
      { name: 'stick', bus: 'usb', file: disk, bytesPerSecond: VERY_SLOW },
      { name: 'disk', bus: 'nvme', file: disk },
    ],
    steps: [{ wait: rootReady({ image: 'small', medium: 'nvme' }), within: 90 }, ...LOGIN, ...POWER_OFF],
  });
});

test('of two media the fast one is taken: it ranks lower', async () => {
  const disk = await imageDisk(small);
  await runScenario({
    name: 'slow-nvme-fast-usb',
    kernel: viverKernel(),
    disks: [
      { name: 'stick', bus: 'usb', file: disk },
      { name: 'disk', bus: 'nvme', file: disk, bytesPerSecond: VERY_SLOW },
    ],
    steps: [{ wait: rootReady({ image: 'small', medium: 'usb' }), within: 90 }, ...LOGIN, ...POWER_OFF],
  });
});

test('viver.media= puts the slow medium first', async () => {
  const disk = await imageDisk(small);
  await runScenario({
    name: 'media-word-wins',
    kernel: viverKernel('viver.media=sata,usb'),
    disks: [
      { name: 'stick', bus: 'usb', file: disk },
      { name: 'disk', bus: 'sata', file: disk, bytesPerSecond: SLOW },
    ],
    steps: [{ wait: rootReady({ image: 'small', medium: 'sata' }), within: 90 }, ...LOGIN, ...POWER_OFF],
  });
});

test('a pinned id does not boot another image of the same name', async () => {
  const other = await smallImage('two');
  expect(other.id).not.toBe(small.id);
  await runScenario({
    name: 'pinned-wrong-image',
    kernel: viverKernel(`viver.image=small@sha256:${small.id}`),
    disks: [
      { name: 'wrong', bus: 'nvme', file: await imageDisk(other) },
      { name: 'right', bus: 'usb', file: await imageDisk(small) },
    ],
    steps: [
      { wait: rootReady({ image: `small@${small.id.slice(0, 12)}`, medium: 'usb' }), within: 90 },
      ...LOGIN,
      { run: 'cat /etc/variant', output: /^one$/ },
      ...POWER_OFF,
    ],
  });
});

test('a pinned id does not boot a changed image with the right index beside it', async () => {
  await runScenario({
    name: 'pinned-changed-image',
    kernel: viverKernel(`viver.image=small@sha256:${small.id}`),
    disks: [
      { name: 'changed', bus: 'nvme', file: await imageDisk(await changedImage(small)) },
      { name: 'right', bus: 'usb', file: await imageDisk(small) },
    ],
    steps: [
      { wait: rootReady({ image: `small@${small.id.slice(0, 12)}`, medium: 'usb' }), within: 90 },
      ...LOGIN,
      { run: 'dd if=/data bs=1M 2>/dev/null | wc -c', output: /^25165824$/ },
      ...POWER_OFF,
    ],
  });
});

test('when every image so far is refused, the search goes on and takes what comes later', async () => {
  await runScenario({
    name: 'pinned-right-comes-later',
    kernel: viverKernel(`viver.image=small@sha256:${small.id}`),
    disks: [
      { name: 'changed', bus: 'nvme', file: await imageDisk(await changedImage(small)) },
      { name: 'right', bus: 'usb', file: await imageDisk(small), later: true },
    ],
    steps: [
      { wait: /is not used: /, within: 90 },
      { attach: 'right' },
      { wait: rootReady({ image: `small@${small.id.slice(0, 12)}`, medium: 'usb' }), within: 60 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
});

test('a pinned id that no medium has ends in a message and the rescue prompt', async () => {
  const other = await smallImage('two');
  await runScenario({
    name: 'pinned-nowhere',
    kernel: viverKernel(`viver.image=small@sha256:${small.id}`),
    disks: [{ name: 'wrong', bus: 'nvme', file: await imageDisk(other) }],
    steps: [
      { wait: /viver: boot failed: no disk image 'small' that may be used was found/, within: 90 },
      { prompt: /rescue# $/, within: 30 },
      { type: 'poweroff -f\n' },
      { expect: 'power-off', within: 20 },
    ],
  });
});

test('a USB stick that comes four seconds after the start is found', async () => {
  await runScenario({
    name: 'late-usb-stick',
    kernel: viverKernel(),
    disks: [{ name: 'stick', bus: 'usb', file: await imageDisk(small), later: true }],
    steps: [
      { wait: /Run \/init as init process/, within: 60 },
      { pauseSeconds: 4, because: 'the stick is slow to answer' },
      { attach: 'stick' },
      { wait: rootReady({ image: 'small', medium: 'usb' }), within: 60 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
});

test('images on ext2, vfat, iso9660, xfs, btrfs, exfat and alone on a partition are all found', async () => {
  const files = (name: string) => filesOf(small, name);
  const disk = await madeDisk('every-file-system', {
    table: 'gpt',
    partitions: [
      { fileSystem: 'ext2', files: files('on-ext2') },
      { fileSystem: 'vfat', files: files('on-vfat') },
      { fileSystem: 'iso9660', files: files('on-iso9660') },
      { fileSystem: 'xfs', files: files('on-xfs') },
      { fileSystem: 'btrfs', files: files('on-btrfs') },
      { fileSystem: 'exfat', files: files('on-exfat') },
      { fileSystem: 'squashfs', files: { image: small.sqfs } },
    ],
  });
  const outcome = await runScenario({
    name: 'every-file-system',
    kernel: viverKernel('viver.image=on-vfat'),
    disks: [{ name: 'disk', bus: 'virtio', file: disk }],
    steps: [
      { wait: rootReady({ image: 'on-vfat', medium: 'scsi', device: '/dev/vda2' }), within: 90 },
      ...LOGIN,
      { run: 'cat /run/viver/boot.json' },
      ...POWER_OFF,
    ],
  });
  const record = outcome.results.at(-3) ?? '';
  for (const fileSystem of ['ext2', 'iso9660', 'xfs', 'btrfs', 'exfat']) expect(record).toContain(`on-${fileSystem}`);
  expect(record).toContain('/dev/vda7');
});

test.each(['lsi', 'uas', 'scsi'] as const)('an image behind %s is found', bootBehind);
