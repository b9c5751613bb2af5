import { test } from 'vitest';
import { viverKernel } from '../vm/harness/direct.ts';
import { madeDisk } from '../vm/harness/disks.ts';
import { imageDisk } from '../vm/harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import type { Step } from '../vm/harness/scenario.ts';
import { selinuxImage } from './trees.ts';

const WORDS = ['security=selinux', 'selinux=1', 'enforcing=1'] as const;

const labelOf = (path: string) => `stat -c %C ${path}`;

const RIGHT: readonly Step[] = [
  { wait: rootReady({ image: 'selinux' }), within: 120 },
  ...LOGIN,
  { run: 'getenforce', output: /^Enforcing$/m },
  { run: 'systemctl is-system-running --wait; systemctl --failed --no-legend', output: /^running\s*$/, within: 240 },
  { run: labelOf('/'), output: /:root_t:/ },
  // nothing in the union has another label than the image says, what VIVER wrote included; nobody relabels it all
  {
    run: 'restorecon -n -v -F / /etc/hostname /etc/hosts /etc/fstab /etc/machine-id /usr/local/bin/viver',
    output: /^\s*$/,
  },
  {
    run: 'find /run/viver/cow/ -path "*/upper/*" -printf "/%P\\n" | sed "s,.*/upper/,/,;s,^/upper/,/," | xargs -d "\\n" stat -c "%C %n" | grep -E "unlabeled_t|:tmpfs_t" || true',
    output: /^\s*$/,
  },
  { run: '[ ! -e /.autorelabel ]' },
  { run: 'viver role', output: 'boot-server' },
  { run: 'systemctl is-active viver-runes', output: /^active$/m },
];

test('a system under SELinux, enforcing, boots with right labels, with the writes in RAM', async () => {
  await runScenario({
    name: 'selinux-ram',
    memoryMiB: 1536,
    kernel: viverKernel(...WORDS),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(await selinuxImage()) }],
    steps: [
      ...RIGHT,
      { run: 'touch /etc/new /root/new && stat -c %C /etc/new /root/new', output: /:etc_t:[\s\S]*home/ },
      ...POWER_OFF,
    ],
  });
});

test('and with the writes on a disk, at the second boot too', async () => {
  const file = await madeDisk('selinux-cow', {
    table: 'gpt',
    partitions: [{ fileSystem: 'ext4', label: 'changes', sizeMiB: 256 }],
  });
  await runScenario({
    name: 'selinux-disk',
    memoryMiB: 1536,
    kernel: viverKernel('viver.cow=LABEL=changes', ...WORDS),
    disks: [
      { name: 'disk', bus: 'virtio', file: await imageDisk(await selinuxImage()) },
      { name: 'changes', bus: 'usb', file },
    ],
    steps: [...RIGHT, { type: 'reboot\n' }, { expect: 'reset', within: 120 }, ...RIGHT, ...POWER_OFF],
  });
});
