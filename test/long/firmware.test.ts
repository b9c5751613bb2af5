import { execFile } from 'node:child_process';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'vitest';
import { made, madeDisk } from '../vm/harness/disks.ts';
import { smallImage } from '../vm/harness/images.ts';
import { copiedIso, isoOf } from '../vm/harness/isos.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';

const run = promisify(execFile);

test.each([
  { as: 'as a CD', name: 'ia32-cd', bus: 'sata-cd', medium: 'cd', made: isoOf },
  { as: 'written to a stick', name: 'ia32-stick', bus: 'usb', medium: 'usb', made: isoOf },
  {
    as: 'copied onto FAT32',
    name: 'ia32-fat32',
    bus: 'usb',
    medium: 'usb',
    made: async (image: Parameters<typeof isoOf>[0]) => copiedIso(await isoOf(image)),
  },
] as const)(
  'UEFI of 32 bits starts the 64-bit kernel from the ISO $as',
  async ({ name, bus, medium, made }) => {
    await runScenario({
      name,
      firmware: 'uefi-ia32',
      cpus: 2,
      disks: [{ name: 'medium', bus, file: await made(await smallImage()) }],
      steps: [
        { wait: rootReady({ image: 'small', medium }), within: 150 },
        ...LOGIN,
        { run: 'cat /sys/firmware/efi/fw_platform_size', output: /^32$/ },
        { run: 'uname -m', output: /^x86_64$/ },
        ...POWER_OFF,
      ],
    });
  },
  600_000,
);

test('GRUB of another stick starts the ISO as a file by its loopback.cfg', async () => {
  const iso = await isoOf(await smallImage());
  const config = [
    'search --no-floppy --file --set=root /images/small.iso',
    'set iso_path=/images/small.iso',
    'export iso_path',
    'loopback loop $iso_path',
    'set root=(loop)',
    'set timeout=1',
    'export timeout',
    'configfile /boot/grub/loopback.cfg',
  ];
  const stick = await made('loopback.img', { description: config, files: [iso] }, async (target, work) => {
    await writeFile(join(work, 'grub.cfg'), `${config.join('\n')}\n`);
    const loader = join(work, 'bootx64.efi');
    const words = [
      '-O',
      'x86_64-efi',
      '--modules',
      'part_msdos fat iso9660 loopback',
      '--locales=',
      '--fonts=',
      '-o',
      loader,
    ];
    await run('grub-mkstandalone', [...words, `boot/grub/grub.cfg=${join(work, 'grub.cfg')}`]);
    const files = { '/EFI/BOOT/BOOTX64.EFI': loader, '/images/small.iso': iso };
    const partition = { fileSystem: 'vfat', label: 'MULTI', files, sizeMiB: 600 } as const;
    await copyFile(await madeDisk('loopback', { table: 'mbr', partitions: [partition] }), target);
  });
  await runScenario({
    name: 'loopback-cfg',
    firmware: 'uefi',
    cpus: 2,
    disks: [{ name: 'stick', bus: 'usb', file: stick }],
    steps: [
      { wait: /Command line: .*iso-scan\/filename=\/images\/small\.iso/, within: 120 },
      { wait: rootReady({ image: 'small', medium: 'usb', device: '/dev/sda1' }), within: 150 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
}, 600_000);
