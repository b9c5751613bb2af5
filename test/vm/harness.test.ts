import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { newcArchive } from './harness/archive.ts';
import { made, madeDisk } from './harness/disks.ts';
import { product } from './harness/products.ts';
import { runScenario } from './harness/run-scenario.ts';
import type { DirectKernel } from './harness/scenario.ts';

const BUSYBOX = '/bin/busybox';

/** A shell on the serial console as the whole system: what the harness is tried with. */
async function shellKernel(): Promise<DirectKernel> {
  const init = [
    '#!/busybox sh',
    '/busybox mkdir -p /proc /sys /dev /bin; /busybox --install -s /bin',
    'export PATH=/bin; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev',
    'stty -echo; echo "shell is up"; exec setsid cttyhack sh',
    '',
  ].join('\n');
  const initrd = await made('shell.cpio', { description: init, files: [BUSYBOX] }, async (target) => {
    const archive = newcArchive([
      { path: 'dev', mode: 0o040755 },
      { path: 'busybox', mode: 0o100755, data: await readFile(BUSYBOX) },
      { path: 'init', mode: 0o100755, data: Buffer.from(init) },
    ]);
    await writeFile(target, archive);
  });
  return { kernel: product('vmlinuz'), initrd, commandLine: 'console=ttyS0 loglevel=4' };
}

test('a machine boots, answers commands, restarts and switches itself off', async () => {
  const outcome = await runScenario({
    name: 'harness-shell',
    memoryMiB: 512,
    kernel: await shellKernel(),
    steps: [
      { wait: 'shell is up', within: 60 },
      { run: 'cat /proc/cmdline', output: /^console=ttyS0 loglevel=4$/ },
      { run: 'false', status: 1 },
      { type: 'reboot -f\n' },
      { expect: 'reset', within: 20 },
      { wait: 'shell is up', within: 60 },
      { type: 'poweroff -f\n' },
      { expect: 'power-off', within: 20 },
    ],
  });
  expect(outcome.results[1]).toBe('console=ttyS0 loglevel=4');
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
  expect(String(failed)).toMatch(/harness-deadline: step 2 of 2 .*never printed.*: not within 1 s/);
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
