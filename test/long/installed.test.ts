import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'vitest';
import { viverKernel } from '../vm/harness/direct.ts';
import { madeDisk } from '../vm/harness/disks.ts';
import { imageDisk } from '../vm/harness/images.ts';
import {
  INSTALLED_FILES,
  INSTALLED_FILES_SHELL,
  INSTALLED_SHELL,
  NOTHING_OF_ANOTHER,
} from '../vm/harness/installed.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { vmDirectory } from '../vm/harness/products.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import type { Step } from '../vm/harness/scenario.ts';
import { variantImage } from '../vm/harness/variant-image.ts';

const STORAGE = [
  'cryptsetup',
  'mdadm',
  'lvm2',
  'multipath-tools',
  'fancontrol',
  'open-iscsi',
  'smartmontools',
  'cloud-init',
];
const FILES = {
  ...INSTALLED_FILES,
  '/etc/cloud/cloud.cfg.d/99-cloud.cfg': 'datasource_list: [ Ec2 ]\n',
  '/etc/fancontrol':
    'INTERVAL=10\nDEVPATH=hwmon3=devices/platform/nct6775.656\nFCTEMPS=hwmon3/pwm2=hwmon3/temp1_input\n',
  '/etc/mdadm/mdadm.conf': 'ARRAY /dev/md0 metadata=1.2 UUID=6a9f3a9b:0b9e7c1a:6c1e4b7d:9f0e0001\nMAILADDR root\n',
};

for (const suite of ['bookworm', 'trixie'] as const) {
  test(`${suite} with encrypted disks, RAID and LVM of another machine waits for none of them`, async () => {
    const image = await variantImage(`storage-${suite}`, {
      base: { suite },
      packages: STORAGE,
      files: FILES,
      shell: INSTALLED_SHELL,
    });
    await runScenario({
      name: `storage-${suite}`,
      kernel: viverKernel(),
      disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
      nics: [{ name: 'lan', model: 'virtio-net-pci' }],
      steps: [{ wait: rootReady({}), within: 90 }, ...LOGIN, ...NOTHING_OF_ANOTHER, ...POWER_OFF],
    });
  });
}

test('sysvinit with encrypted disks, RAID and LVM of another machine waits for none of them', async () => {
  const image = await variantImage('storage-sysvinit', {
    base: 'sysvinit',
    packages: ['cryptsetup', 'mdadm', 'lvm2'],
    files: FILES,
    shell: INSTALLED_FILES_SHELL,
  });
  await runScenario({
    name: 'storage-sysvinit',
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    nics: [{ name: 'lan', model: 'virtio-net-pci' }],
    steps: [
      { wait: rootReady({}), within: 90 },
      ...LOGIN,
      { run: 'swapon --noheadings', output: /^$/ },
      { run: 'findmnt -no FSTYPE /srv/scratch', output: /^tmpfs$/ },
      { run: 'findmnt -no FSTYPE /srv/share' },
      { run: 'ls /sys/class/net', output: /^(?!.*(wan0|lan0))/s },
      { run: 'ls -d /run/systemd/system', status: 2 },
      ...POWER_OFF,
    ],
  });
});

test('a row that a person adds to fstab acts at the next boot of a machine that keeps its writes', async () => {
  const image = await variantImage('installed', { base: 'debian', files: INSTALLED_FILES, shell: INSTALLED_SHELL });
  const partition = { fileSystem: 'ext4', label: 'changes', sizeMiB: 256 } as const;
  const cow = join(vmDirectory('disks'), 'installed-kept.img');
  await copyFile(await madeDisk('cow', { table: 'gpt', partitions: [partition] }), cow);
  const row = 'LABEL=changes /mnt ext4 defaults 0 0';
  const boots: readonly (readonly Step[])[] = [
    [{ run: `grep -c '^# VIVER: UUID' /etc/fstab && echo '${row}' >> /etc/fstab` }],
    [{ run: 'findmnt -no FSTYPE /mnt', output: /^ext4$/ }, ...NOTHING_OF_ANOTHER],
  ];
  for (const [index, steps] of boots.entries()) {
    await runScenario({
      name: `installed-kept-${index + 1}`,
      kernel: viverKernel('viver.cow=LABEL=changes'),
      disks: [
        { name: 'disk', bus: 'virtio', file: await imageDisk(image) },
        { name: 'cow', bus: 'usb', file: cow, keepWrites: true },
      ],
      steps: [{ wait: rootReady({}), within: 90 }, ...LOGIN, ...steps, ...POWER_OFF],
    });
  }
});
