import { execFile } from 'node:child_process';
import { copyFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, test } from 'vitest';
import { viverKernel } from '../vm/harness/direct.ts';
import { cutPartition, madeDisk } from '../vm/harness/disks.ts';
import { builtImage, filesOf, type Image, smallImage } from '../vm/harness/images.ts';
import { isoOf } from '../vm/harness/isos.ts';
import { addKeepPartition, MIB, writtenStick } from '../vm/harness/keep-sticks.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { vmDirectory } from '../vm/harness/products.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import type { Bus, Disk, Scenario, Step } from '../vm/harness/scenario.ts';

const run = promisify(execFile);
const LONG_MS = 1_200_000;

let small: Image;
beforeAll(async () => {
  small = await smallImage();
}, LONG_MS);

const keptRoot = (image = 'small'): Step => ({ wait: rootReady({ image, cow: 'keep' }), within: 120 });
const PROMPT: Step = { prompt: /rescue# $/, within: 60 };
const WRITE: Step = { run: 'echo kept > /root/kept; sync' };
const READ: Step = { run: 'cat /root/kept', output: /^kept$/ };

async function boot(name: string, file: string, steps: readonly Step[], more: Partial<Scenario> = {}) {
  const disks: readonly Disk[] = [{ name: 'stick', bus: 'usb', file, keepWrites: true }];
  await runScenario({
    name,
    kernel: viverKernel('viver.cow=keep'),
    steps,
    ...more,
    disks: [...disks, ...(more.disks ?? [])],
  });
}

async function expectSound(stick: string): Promise<void> {
  const partition = `${stick}.partition`;
  await cutPartition(stick, 3, partition);
  await run('e2fsck', ['-f', '-n', partition]);
  await rm(partition);
}

test.each([0, 0.1, 0.3, 0.8])(
  'the power goes %d s after the partition for changes was begun: the next boot copes',
  async (seconds) => {
    const stick = await writtenStick(`keep-cut-${seconds}`, await isoOf(small), 1024);
    const cut: readonly Step[] = [
      { wait: /making a partition for changes/, within: 120 },
      { pauseSeconds: seconds, because: 'somewhere in what follows the power goes' },
    ];
    await boot(`keep-cut-${seconds}`, stick, cut, { mayStillRun: true });
    await boot(`keep-cut-${seconds}-then`, stick, [keptRoot(), ...LOGIN, WRITE, ...POWER_OFF]);
    await expectSound(stick);
  },
  LONG_MS,
);

test(
  'the power goes while the system runs: what was synced is there',
  async () => {
    const stick = await writtenStick('keep-plug', await isoOf(small), 384);
    await addKeepPartition(stick, 96);
    await boot('keep-plug-1', stick, [keptRoot(), ...LOGIN, WRITE], { mayStillRun: true });
    await boot('keep-plug-2', stick, [keptRoot(), ...LOGIN, READ, ...POWER_OFF]);
    await expectSound(stick);
  },
  LONG_MS,
);

test(
  'of two sticks with kept changes none is guessed; with one taken out the other is used',
  async () => {
    const iso = await isoOf(small);
    const [first, second] = [await writtenStick('keep-two-a', iso, 384), await writtenStick('keep-two-b', iso, 384)];
    await addKeepPartition(first, 96);
    await addKeepPartition(second, 96);
    const other: Disk = { name: 'other', bus: 'usb', file: second, keepWrites: true };
    await boot(
      'keep-two',
      first,
      [
        { wait: /several media with an image hold kept changes: \/dev\/sd[ab]3, \/dev\/sd[ab]3/, within: 120 },
        PROMPT,
        { detach: 'other' },
        { pauseSeconds: 2, because: 'the kernel takes the disk away' },
        { type: 'exit\n' },
        keptRoot(),
        ...LOGIN,
        ...POWER_OFF,
      ],
      { disks: [other] },
    );
  },
  LONG_MS,
);

test(
  'a stick copied to a larger one works as it is',
  async () => {
    const stick = await writtenStick('keep-larger', await isoOf(small), 384);
    await addKeepPartition(stick, 96);
    await boot('keep-larger-1', stick, [keptRoot(), ...LOGIN, WRITE, ...POWER_OFF]);
    await truncate(stick, 2048 * MIB);
    await boot('keep-larger-2', stick, [keptRoot(), ...LOGIN, READ, ...POWER_OFF]);
    await expectSound(stick);
  },
  LONG_MS,
);

test(
  'changes kept on another disk than the image came from are named, not used',
  async () => {
    const iso = await isoOf(small);
    const stick = await writtenStick('keep-elsewhere', iso, 640);
    // The other disk's image is gone, its changes are there.
    const partition = { fileSystem: 'none', sizeMiB: 300 } as const;
    const elsewhere = join(vmDirectory('disks'), 'keep-elsewhere-b.img');
    await copyFile(await madeDisk('empty', { table: 'mbr', partitions: [partition, partition] }), elsewhere);
    await truncate(elsewhere, 1024 * MIB);
    await addKeepPartition(elsewhere, 96, 768 * MIB);
    const other: Disk = { name: 'other', bus: 'virtio', file: elsewhere, keepWrites: true };
    await boot(
      'keep-elsewhere',
      stick,
      [
        { wait: /changes are kept on \/dev\/vda3, but the image came from \/dev\/sda1/, within: 120 },
        PROMPT,
        { type: 'keep new; exit\n' },
        { wait: /making a partition for changes on \/dev\/sda/, within: 60 },
        keptRoot(),
        ...LOGIN,
        ...POWER_OFF,
      ],
      { disks: [other] },
    );
    await expectSound(stick);
  },
  LONG_MS,
);

test(
  'what is damaged beyond repair is begun anew when a person says so',
  async () => {
    const stick = await writtenStick('keep-anew', await isoOf(small), 384);
    await addKeepPartition(stick, 96);
    await run('dd', ['if=/dev/urandom', `of=${stick}`, 'bs=1M', 'seek=257', 'count=95', 'conv=notrunc', 'status=none']);
    await run('dd', [
      'if=/dev/zero',
      `of=${stick}`,
      'bs=1024',
      `seek=${256 * 1024 + 1}`,
      'count=1000',
      'conv=notrunc',
      'status=none',
    ]);
    await boot('keep-anew', stick, [
      { wait: /\/dev\/sda3, is broken/, within: 120 },
      PROMPT,
      { type: 'keep repair; exit\n' },
      { wait: /\/dev\/sda3, is broken/, within: 120 },
      PROMPT,
      { type: 'keep new; exit\n' },
      keptRoot(),
      ...LOGIN,
      ...POWER_OFF,
    ]);
    await expectSound(stick);
  },
  LONG_MS,
);

test.each(['exfat', 'ext4', 'btrfs', 'xfs'] as const)(
  'on a medium with %s changes are kept in a file',
  async (fileSystem) => {
    const partition = { fileSystem, label: 'STICK', files: filesOf(small), sizeMiB: 512 };
    const disk = await madeDisk(`keep-${fileSystem}`, { table: 'gpt', partitions: [partition] });
    const stick = await writtenStick(`keep-${fileSystem}`, disk);
    await boot(`keep-${fileSystem}-1`, stick, [keptRoot(), ...LOGIN, WRITE, ...POWER_OFF]);
    const clean: Step = { run: '! dmesg | grep -E "EXT4-fs.*recover|XFS.*Starting recovery|replaying log"' };
    await boot(`keep-${fileSystem}-2`, stick, [keptRoot(), ...LOGIN, READ, clean, ...POWER_OFF]);
  },
  LONG_MS,
);

test.each(['debian', 'sysvinit'])(
  'the %s image keeps changes on its stick, in a partition and in a file',
  async (name) => {
    const image = await builtImage(name);
    const written = await writtenStick(`keep-${name}`, await isoOf(image), 1024);
    const partition = { fileSystem: 'vfat', label: 'STICK', files: filesOf(image), sizeMiB: 640 } as const;
    const copied = await writtenStick(
      `keep-${name}-fat`,
      await madeDisk(`fat-${name}`, { table: 'mbr', partitions: [partition] }),
    );
    const clean: Step = { run: '! dmesg | grep -E "EXT4-fs.*recover|FAT-fs.*not properly unmounted"' };
    for (const [kind, stick] of Object.entries({ partition: written, file: copied })) {
      await boot(`keep-${name}-${kind}-1`, stick, [keptRoot(name), ...LOGIN, WRITE, ...POWER_OFF]);
      await boot(`keep-${name}-${kind}-2`, stick, [keptRoot(name), ...LOGIN, READ, clean, ...POWER_OFF]);
    }
    await expectSound(written);
  },
  LONG_MS,
);

test.each([
  { firmware: 'bios', bus: 'usb' },
  { firmware: 'secure-boot', bus: 'usb' },
] as const)(
  "the menu's second entry keeps changes ($firmware)",
  async ({ firmware, bus }) => {
    const stick = await writtenStick(`keep-menu-${firmware}`, await isoOf(small), 640);
    const disks: readonly Disk[] = [{ name: 'stick', bus: bus satisfies Bus, file: stick, keepWrites: true }];
    const second: readonly Step[] = [
      { prompt: /automatically in \ds/, within: 60 },
      { type: '\x1b[B' },
      { pauseSeconds: 1, because: 'an escape and a key are told apart by time' },
      { type: '\r' },
    ];
    for (const [number, steps] of [[WRITE], [READ]].entries()) {
      const name = `keep-menu-${firmware}-${number + 1}`;
      await runScenario({
        name,
        firmware,
        cpus: 2,
        disks,
        steps: [...second, keptRoot(), ...LOGIN, ...steps, ...POWER_OFF],
      });
    }
    await expectSound(stick);
  },
  LONG_MS,
);

test(
  'on a signed, pinned image the daemon that checks it goes on while the medium becomes writable',
  async () => {
    const partition = { fileSystem: 'vfat', label: 'STICK', files: filesOf(small), sizeMiB: 256 } as const;
    const stick = await writtenStick('keep-pinned', await madeDisk('fat', { table: 'mbr', partitions: [partition] }));
    const kernel = viverKernel('viver.cow=keep', `viver.image=small@sha256:${small.id}`);
    await boot('keep-pinned-1', stick, [keptRoot(), ...LOGIN, WRITE, { run: 'md5sum /data' }, ...POWER_OFF], {
      kernel,
    });
    await boot('keep-pinned-2', stick, [keptRoot(), ...LOGIN, READ, ...POWER_OFF], { kernel });
  },
  LONG_MS,
);
