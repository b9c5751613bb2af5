/** An error anywhere in /init ends in what failed, why, and a prompt; what was done until then is taken back. */
import { readFile, writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { elf } from '../unit/root/elf.ts';
import { type ArchiveEntry, newcArchive } from './harness/archive.ts';
import { viverKernel } from './harness/direct.ts';
import { made, madeDisk } from './harness/disks.ts';
import { type Image, imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { product } from './harness/products.ts';
import { runScenario } from './harness/run-scenario.ts';
import type { DirectKernel, Step } from './harness/scenario.ts';

const PROMPT: readonly Step[] = [{ prompt: /rescue# $/, within: 60 }, { type: 'stty -echo; PS1=\n' }, { run: 'true' }];
const OFF: readonly Step[] = [{ type: 'poweroff -f\n' }, { expect: 'power-off', within: 20 }];

let small: Image;
beforeAll(async () => {
  small = await smallImage();
});

/** VIVER's kernel and archive, with another archive unpacked over it. */
async function kernelWithOver(
  name: string,
  entries: readonly ArchiveEntry[],
  ...words: readonly string[]
): Promise<DirectKernel> {
  const kernel = viverKernel(...words);
  const { initrd = product('viverrd.zst') } = kernel;
  const inputs = { description: entries.map(({ path, mode }) => [path, mode]), files: [initrd] };
  const laidOver = await made(name, inputs, async (target) => {
    const archive = await readFile(initrd);
    const padding = Buffer.alloc((4 - (archive.length % 4)) % 4);
    await writeFile(target, Buffer.concat([archive, padding, newcArchive(entries)]));
  });
  return { ...kernel, initrd: laidOver };
}

test('an init for another processor is told before anything is handed over, and all is taken back', async () => {
  const foreign = Buffer.from(elf({ machine: 8 })).toString('latin1');
  const image = await smallImage('foreign', { 'bin/busybox': foreign });
  await runScenario({
    name: 'foreign-init',
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    steps: [
      { wait: /viver: boot failed: image small: .*\/sbin\/init \(\/bin\/busybox\) is a program for MIPS/, within: 90 },
      { wait: /viver: +try an image that is made for this machine/, within: 10 },
      ...PROMPT,
      { run: 'cut -d " " -f 2 /proc/mounts', output: /^\/\n\/proc\n\/sys\n\/dev\n\/run\n\/dev\/pts$/ },
      { run: 'losetup -a', output: /^$/ },
      { type: 'exit\n' },
      { wait: /viver: boot failed: image small/, within: 60 },
      ...PROMPT,
      ...OFF,
    ],
  });
});

test('a full disk for changes, below a daemon: it is told, the daemon ends; room is made and exit boots', async () => {
  const partition = { fileSystem: 'ext4', label: 'changes', sizeMiB: 32 } as const;
  await runScenario({
    name: 'full-cow-disk',
    kernel: viverKernel('viver.cow=LABEL=changes', 'viver.verify=lazy', 'viver.rescue'),
    disks: [
      { name: 'image', bus: 'virtio', file: await imageDisk(small) },
      { name: 'changes', bus: 'usb', file: await madeDisk('cow-small', { table: 'gpt', partitions: [partition] }) },
    ],
    steps: [
      ...PROMPT,
      { run: 'modprobe -a ext4 sd_mod; mkdir /m; until mount -t ext4 /dev/sda1 /m; do sleep 1; done' },
      // Down to the last blocks, which the first directories take.
      { run: 'mkdir -p /m/viver/cow; dd if=/dev/zero of=/m/fill bs=1k; sync; df /m; umount /m', within: 120 },
      { type: 'exit\n' },
      { wait: /viver: boot failed: .*ENOSPC/, within: 120 },
      ...PROMPT,
      { run: 'ps | grep "@[v]iver-field"', status: 1 },
      { run: 'cut -d " " -f 2 /proc/mounts | grep -v -e "^/$" -e ^/proc -e ^/sys -e ^/dev -e "^/run$"', status: 1 },
      { run: 'mount -t ext4 /dev/sda1 /m && rm /m/fill && umount /m' },
      { type: 'exit\n' },
      { wait: rootReady({ image: 'small', cow: '/dev/sda1' }), within: 90 },
      ...LOGIN,
      { run: 'findmnt -no SOURCE / || grep " / overlay" /proc/mounts' },
      ...POWER_OFF,
    ],
  });
});

const ROLES = 'role boot-server\n  plugins basic faulty\n  machines any\n';
const faulty = (statement: string) => `
export default definePlugin({
  name: 'faulty',
  summary: 'throws what nobody catches',
  async prepare() {
    ${statement}
    await new Promise((resolve) => setTimeout(resolve, 1000));
  },
});
`;

test.each([
  ['thrown by a timer', "setTimeout(() => { throw new Error('thrown by a timer'); }, 10);", /thrown by a timer/],
  ['of a promise nobody waits for', "void Promise.reject(new Error('nobody waits'));", /nobody waits/],
  ['that is process.exit', 'process.exit(3);', /\/init was ended with status 3/],
])('an error %s ends in the explained failure and a prompt', async (what, statement, says) => {
  const texts = { '/etc/RUNES/runes/faulty.ts': faulty(statement), '/etc/RUNES/roles': ROLES };
  const image = await smallImage(`faulty-${what.split(' ').pop()}`, texts);
  const { console } = await runScenario({
    name: `fault-${what.replaceAll(/[^a-z]+/g, '-')}`,
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    steps: [{ wait: new RegExp(`viver: boot failed: .*${says.source}`), within: 90 }, ...PROMPT, ...OFF],
  });
  expect(console.filter(({ text }) => /^\s+at /.test(text))).toEqual([]);
});

test('an error in the very first step is told, and there is a prompt', async () => {
  await runScenario({
    name: 'no-proc',
    // A file where /proc is to be mounted.
    kernel: await kernelWithOver('no-proc.cpio', [{ path: 'proc', mode: 0o100644 }]),
    steps: [{ wait: /viver: boot failed: .*\/proc/, within: 90 }, ...PROMPT, { run: 'test -f /proc' }, ...OFF],
  });
});

test('kernel and viverrd of different versions: which runs, which modules there are, and a prompt', async () => {
  const { initrd = '' } = viverKernel();
  const other = await made('other-modules.cpio', { description: 'renamed', files: [initrd] }, async (target) => {
    const archive = await readFile(initrd);
    // Every name of the directory by one as long: the archive keeps its layout.
    const [, version = ''] = /lib\/modules\/(\d[^/\0]*)\0/.exec(archive.toString('latin1')) ?? [];
    const renamed = version.replace(/^\d/, '9');
    const from = Buffer.from(`lib/modules/${version}`);
    const to = Buffer.from(`lib/modules/${renamed}`);
    for (let at = archive.indexOf(from); at >= 0; at = archive.indexOf(from, at + 1)) to.copy(archive, at);
    await writeFile(target, archive);
  });
  await runScenario({
    name: 'other-kernel',
    kernel: { ...viverKernel('viver.wait=1'), initrd: other },
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(small) }],
    steps: [
      { wait: /viver: warning: the kernel that runs is (\S+), this initrd has modules of 9\S+:/, within: 90 },
      { wait: /viver: boot failed: no disk image/, within: 60 },
      { wait: /viver: +saw the kernel that runs is/, within: 10 },
      ...PROMPT,
      ...OFF,
    ],
  });
});

test('after the switch there is only: tell, and reboot', async () => {
  await runScenario({
    name: 'after-the-switch',
    kernel: viverKernel('viver.break=handover', 'panic=3'),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(small) }],
    steps: [
      ...PROMPT,
      // It was looked at before.
      { run: 'chmod -x /root-union/bin/busybox' },
      { type: 'exit\n' },
      { wait: /viver: boot failed: the image's init could not be started: exec .*EACCES/, within: 60 },
      { wait: /viver: .*reboot in 3 s/, within: 10 },
      { expect: 'reset', within: 20 },
    ],
    mayStillRun: true,
  });
});

test('what a person does at a prompt in the middle of the boot may break it, and it is told', async () => {
  await runScenario({
    name: 'broken-by-hand',
    kernel: viverKernel('viver.break=handover'),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(small) }],
    steps: [
      ...PROMPT,
      { run: 'umount /root-union && mount -t tmpfs -o ro,size=1m none /root-union' },
      { type: 'exit\n' },
      { wait: /viver: boot failed: what is written goes to RAM, and nothing can be written there/, within: 60 },
      ...PROMPT,
      { run: 'grep -e root-union -e viver/ /proc/mounts', status: 1 },
      { type: 'kill -9 $$\n' },
      { wait: /stopped before the stage handover/, within: 60 },
      ...PROMPT,
      { type: 'exit\n' },
      { wait: rootReady({ image: 'small' }), within: 60 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
});
