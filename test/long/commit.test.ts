import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { viverKernel } from '../vm/harness/direct.ts';
import { madeDisk } from '../vm/harness/disks.ts';
import { builtImage, imageDisk } from '../vm/harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { vmDirectory } from '../vm/harness/products.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';

test('a running machine is made an image, which shares most of its chunks with the old one and boots', async () => {
  const disk = join(vmDirectory('disks'), 'commit.img');
  const partition = { fileSystem: 'ext4', label: 'new', sizeMiB: 1024 } as const;
  await copyFile(await madeDisk('commit', { table: 'gpt', partitions: [partition] }), disk);
  const written = { name: 'new', bus: 'virtio', file: disk, keepWrites: true } as const;
  const { results } = await runScenario({
    name: 'commit',
    cpus: 2,
    memoryMiB: 3072,
    kernel: viverKernel(),
    disks: [{ name: 'old', bus: 'nvme', file: await imageDisk(await builtImage('debian')) }, written],
    steps: [
      { wait: rootReady({ image: 'debian' }), within: 120 },
      ...LOGIN,
      { run: 'echo "made here" > /etc/committed; mount /dev/vda1 /mnt; mkdir /mnt/viver' },
      // Packed as well as the running one, which takes an emulated processor a quarter of an hour.
      { run: 'viver image commit -o /mnt/viver/committed.sqfs --no-give 2>&1', within: 2400 },
      { run: 'viver image cat /mnt/viver/committed.sqfs /etc/committed', output: /^made here$/ },
      {
        run: 'viver image diff --json /run/viver/private/media/*/viver/debian.sqfs /mnt/viver/committed.sqfs',
        within: 300,
      },
      { run: 'umount /mnt' },
      ...POWER_OFF,
    ],
  });
  const [difference = ''] = results.filter((text) => text.includes('"sharedBytes"'));
  const { sharedBytes, size }: { sharedBytes: number; size: number } = JSON.parse(
    difference.trim().split('\n').at(-1) ?? '',
  );
  expect(sharedBytes / size).toBeGreaterThan(0.5);
  await runScenario({
    name: 'commit-again',
    kernel: viverKernel(),
    disks: [written],
    steps: [
      { wait: rootReady({ image: 'committed' }), within: 120 },
      ...LOGIN,
      { run: 'cat /etc/committed', output: /^made here$/ },
      { run: 'systemctl --failed --plain --no-legend', output: /^$/ },
      ...POWER_OFF,
    ],
  });
}, 3_600_000);
