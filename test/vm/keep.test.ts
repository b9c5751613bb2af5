import { execFile } from 'node:child_process';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { viverKernel } from './harness/direct.ts';
import { cutPartition, madeDisk, overwrite } from './harness/disks.ts';
import { filesOf, type Image, smallImage } from './harness/images.ts';
import { isoOf, underItsName, viver } from './harness/isos.ts';
import { addKeepPartition, KEEP_AT, MIB, writeOver, writtenStick } from './harness/keep-sticks.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { BUILD, vmDirectory } from './harness/products.ts';
import { runScenario } from './harness/run-scenario.ts';
import type { Disk, Step } from './harness/scenario.ts';

const run = promisify(execFile);

let one: Image;
let two: Image;
beforeAll(async () => {
  one = await smallImage();
  two = await smallImage('two');
});

const keptRoot: Step = { wait: rootReady({ image: 'small', medium: 'usb', cow: 'keep' }), within: 120 };
const PROMPT: Step = { prompt: /rescue# $/, within: 60 };
const choose = (word: string): readonly Step[] => [PROMPT, { type: `keep ${word}; exit\n` }];

async function bootKeep(name: string, file: string, steps: readonly Step[], more: readonly Disk[] = []) {
  const stick: Disk = { name: 'stick', bus: 'usb', file, keepWrites: true };
  return runScenario({ name, kernel: viverKernel('viver.cow=keep'), disks: [stick, ...more], steps });
}

/** Throws when the partition is not there, not clean or has any error. */
async function expectSound(stick: string): Promise<void> {
  const partition = `${stick}.partition`;
  await cutPartition(stick, 3, partition);
  const { stdout } = await run('dumpe2fs', ['-h', partition]);
  expect(stdout).toMatch(/Filesystem volume name:\s+VIVER-KEEP\n/);
  expect(stdout).toMatch(/Filesystem state:\s+clean\n/);
  expect(stdout).not.toMatch(/needs_recovery/);
  await run('e2fsck', ['-f', '-n', partition]);
  await rm(partition);
}

test('changes are kept on the stick over three boots, the last with a newer ISO written over the old one', async () => {
  const stick = await writtenStick('keep', await isoOf(one), 640);
  await bootKeep('keep-1', stick, [
    { wait: /making a partition for changes on \/dev\/sda/, within: 90 },
    keptRoot,
    ...LOGIN,
    // Of the image, to be found where it was moved to whatever a newer image has.
    { run: 'echo one > /root/kept; rm /data; mv /sbin /sbin.moved && ln -s sbin.moved /sbin' },
    ...POWER_OFF,
  ]);
  await expectSound(stick);
  await bootKeep('keep-2', stick, [
    keptRoot,
    ...LOGIN,
    { run: 'cat /root/kept && [ ! -e /data ]', output: /^one$/ },
    { run: 'echo two >> /root/kept; ls /sbin.moved/init' },
    ...POWER_OFF,
  ]);
  await expectSound(stick);
  await writeOver(stick, await isoOf(two));
  await bootKeep('keep-3', stick, [
    { wait: /changes kept with an earlier image are at 256 MiB on \/dev\/sda/, within: 90 },
    { wait: /warning: the changes kept for small were made over its version [0-9a-f]{12}/, within: 60 },
    keptRoot,
    ...LOGIN,
    { run: 'cat /etc/variant; cat /root/kept', output: /^two\none\ntwo$/ },
    ...POWER_OFF,
  ]);
  await expectSound(stick);
});

test('viver stick makes a stick that keeps changes, and keeps them when it is called again with a newer image', async () => {
  const directory = await mkdtemp(join(vmDirectory('disks'), 'stick-'));
  const stick = join(directory, 'stick.img');
  await writeFile(stick, '');
  await truncate(stick, 640 * MIB);
  await viver('stick', await underItsName(one, directory), stick, '--yes', '--boot', BUILD);
  await bootKeep('stick-1', stick, [keptRoot, ...LOGIN, { run: 'echo one > /root/kept' }, ...POWER_OFF]);
  await expectSound(stick);
  await viver('stick', await underItsName(two, directory), stick, '--yes', '--boot', BUILD);
  await expectSound(stick);
  await bootKeep('stick-2', stick, [
    keptRoot,
    ...LOGIN,
    { run: 'cat /etc/variant /root/kept', output: /^two\none$/ },
    ...POWER_OFF,
  ]);
  await rm(directory, { recursive: true });
});

test('a broken file system of kept changes is told and mended when a person says so', async () => {
  const stick = await writtenStick('keep-broken', await isoOf(one), 384);
  await addKeepPartition(stick, 96);
  // Superblock, descriptors and the first inode table: the backups know what was there.
  await overwrite(stick, KEEP_AT + 1024, Buffer.alloc(MIB, 0x5a));
  await bootKeep('keep-broken', stick, [
    { wait: /boot failed: viver.cow=keep: the file system with the kept changes, \/dev\/sda3, is broken/, within: 90 },
    { wait: /try 'keep repair', then 'exit'/, within: 10 },
    ...choose('repair'),
    keptRoot,
    ...LOGIN,
    { run: 'echo kept > /root/kept' },
    ...POWER_OFF,
  ]);
  await expectSound(stick);
});

test('a full file system of kept changes is told; in RAM, or full as it is, it goes on when a person says so', async () => {
  const stick = await writtenStick('keep-full', await isoOf(one), 384);
  await addKeepPartition(stick, 64);
  await bootKeep('keep-full-1', stick, [
    keptRoot,
    ...LOGIN,
    { run: 'echo kept > /root/kept; dd if=/dev/zero of=/root/big bs=1M', status: 1, within: 60 },
    ...POWER_OFF,
  ]);
  await bootKeep('keep-full-2', stick, [
    { wait: /boot failed: viver.cow=keep: \/dev\/sda3 is full: \d MiB of \d+ MiB are free/, within: 90 },
    ...choose('ram'),
    { wait: rootReady({ image: 'small', medium: 'usb', cow: 'ram' }), within: 60 },
    ...LOGIN,
    { run: '[ ! -e /root/kept ]' },
    { type: 'reboot\n' },
    { expect: 'reset', within: 60 },
    { wait: /is full/, within: 90 },
    ...choose('full'),
    keptRoot,
    ...LOGIN,
    { run: 'cat /root/kept && rm /root/big', output: /^kept$/ },
    ...POWER_OFF,
  ]);
  await expectSound(stick);
});

test('from a CD viver.cow=keep says what to do, and goes on in RAM when a person says so', async () => {
  await runScenario({
    name: 'keep-cd',
    kernel: viverKernel('viver.cow=keep'),
    disks: [{ name: 'medium', bus: 'sata-cd', file: await isoOf(one) }],
    steps: [
      { wait: /boot failed: viver.cow=keep: \/dev\/sr0: a CD cannot be written to/, within: 90 },
      { wait: /try write the ISO to a USB stick/, within: 10 },
      ...choose('ram'),
      { wait: rootReady({ image: 'small', medium: 'cd', cow: 'ram' }), within: 60 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
});

test('on a FAT stick changes are kept in a file, which is left clean', async () => {
  const partition = { fileSystem: 'vfat', label: 'STICK', files: filesOf(one), sizeMiB: 256 } as const;
  const stick = await writtenStick('keep-fat', await madeDisk('fat', { table: 'mbr', partitions: [partition] }));
  await bootKeep('keep-fat-1', stick, [keptRoot, ...LOGIN, { run: 'echo kept > /root/kept' }, ...POWER_OFF]);
  await bootKeep('keep-fat-2', stick, [
    keptRoot,
    ...LOGIN,
    { run: 'cat /root/kept', output: /^kept$/ },
    { run: '! dmesg | grep -E "EXT4-fs.*recover|FAT-fs.*not properly unmounted"' },
    ...POWER_OFF,
  ]);
});
