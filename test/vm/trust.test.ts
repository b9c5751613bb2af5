import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { viverKernel } from './harness/direct.ts';
import { made, madeDisk, overwrite } from './harness/disks.ts';
import { pinned } from './harness/field-machines.ts';
import { changedImage, filesOf, type Image, imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { powerOn } from './harness/machine.ts';
import { kernelWith } from './harness/own-initrd.ts';
import { vmDirectory } from './harness/products.ts';
import { performAll, runScenario } from './harness/run-scenario.ts';
import { signed } from './harness/signing.ts';
import { perform } from './harness/steps.ts';

const run = promisify(execFile);

let small: Image;
beforeAll(async () => {
  small = await smallImage();
});

/** A medium of somebody who wishes us no good: a whole disk with ext4, its image changed, links and FIFOs beside it. */
async function hostileDisk(signature: string): Promise<string> {
  const changed = await changedImage(small);
  const files = [changed.sqfs, small.caibx, small.sqfs, signature];
  return made('hostile.img', { description: 'hostile', files }, async (target, work) => {
    const viver = join(work, 'tree/viver');
    await mkdir(viver, { recursive: true });
    await copyFile(changed.sqfs, join(viver, 'small.sqfs'));
    await copyFile(small.caibx, join(viver, 'small.caibx'));
    await copyFile(signature, join(viver, 'small.caibx.minisig'));
    await copyFile(small.sqfs, join(viver, 'waits\x1b[2J\nviver: root ready.sqfs'));
    await run('mkfifo', [join(viver, 'waits\x1b[2J\nviver: root ready.caibx'), join(viver, 'pipe.sqfs')]);
    await symlink('/init', join(viver, 'link.sqfs'));
    await writeFile(target, '');
    await truncate(target, 96 << 20);
    await run('mkfs.ext4', ['-q', '-F', '-d', join(work, 'tree'), target]);
  });
}

test('with keys in the initrd viver.verify=off is refused: of two signed images the unchanged one boots', async () => {
  const { publicKey, signature } = await signed(small);
  const good = await madeDisk('signed', {
    table: 'gpt',
    partitions: [
      { fileSystem: 'ext4', files: { ...filesOf(small), '/viver/small.caibx.minisig': signature }, sizeMiB: 64 },
    ],
  });
  const report = (what: string) => ({ run: `grep -F '${what}' /run/viver/boot.json` });
  await runScenario({
    name: 'trust-signed',
    kernel: await kernelWith({ 'etc/viver/keys/own.pub': publicKey }, 'viver.verify=off', 'viver.media=nvme,usb'),
    disks: [
      { name: 'hostile', bus: 'nvme', file: await hostileDisk(signature) },
      { name: 'good', bus: 'usb', file: good },
    ],
    steps: [
      { wait: /viver: warning: viver\.verify=off is refused: /, within: 90 },
      { wait: /small\.sqfs on \/dev\/nvme0n1 is not used: .* is not what its index says/, within: 60 },
      { wait: rootReady({ image: `small@${small.id.slice(0, 12)}`, medium: 'usb' }), within: 60 },
      ...LOGIN,
      { run: 'grep -q "^/dev/nbd0 .* squashfs" /proc/mounts' },
      report('link.sqfs: a link, which is not followed'),
      report('pipe.sqfs: no regular file'),
      report('bad chunk index: no regular file'),
      ...POWER_OFF,
    ],
  });
});

/** Other bytes in the middle of /data, where they lie on the disk. */
async function answerOtherwise(disk: string): Promise<void> {
  const middle = (await readFile(small.sqfs)).subarray(12 << 20, (12 << 20) + 4096);
  const offset = (await readFile(disk)).indexOf(middle);
  expect(offset).toBeGreaterThan(0);
  await overwrite(disk, offset, Buffer.alloc(4096, 0x5a));
}

test('a medium that answers otherwise after the check of a pinned image gives no wrong byte', async () => {
  const disk = join(vmDirectory('disks'), 'second-answer.img');
  await copyFile(await imageDisk(small), disk);
  await using machine = await powerOn({
    name: 'trust-second-answer',
    kernel: viverKernel(pinned(small), 'viver.break=root'),
    disks: [{ name: 'disk', bus: 'virtio', file: disk, keepWrites: true }],
    steps: [
      { wait: /\] image … .*checked against its index/, within: 90 },
      { prompt: /rescue# $/, within: 30 },
      { type: 'stty -echo; echo 3 > /proc/sys/vm/drop_caches\n' },
    ],
  });
  await performAll(machine);
  await answerOtherwise(disk);
  for (const step of [{ type: 'exit\n' }, { wait: rootReady({ image: 'small' }), within: 60 }, ...LOGIN])
    await perform(machine, step);
  // What is right is given, what is not never comes, and the machine lives on.
  await perform(machine, { run: 'dd if=/data bs=1M count=8 2>/dev/null | wc -c', output: /^8388608$/ });
  await perform(machine, { run: '(md5sum /data > /tmp/sum; echo over > /tmp/over) & sleep 10; [ ! -s /tmp/sum ]' });
  await perform(machine, { run: 'dmesg | grep -i "viver field: .*chunk"', within: 20 });
});

test('a pinned image whose changes go to the very partition it lies on', async () => {
  const disk = join(vmDirectory('disks'), 'pinned-cow.img');
  const partition = { fileSystem: 'ext4', label: 'both', files: filesOf(small), sizeMiB: 128 } as const;
  await copyFile(await madeDisk('pinned-cow', { table: 'gpt', partitions: [partition] }), disk);
  await runScenario({
    name: 'trust-pinned-cow',
    kernel: viverKernel(pinned(small), 'viver.cow=LABEL=both'),
    disks: [{ name: 'disk', bus: 'virtio', file: disk, keepWrites: true }],
    steps: [
      { wait: rootReady({ image: 'small', cow: '/dev/vda1' }), within: 90 },
      ...LOGIN,
      { run: 'echo kept > /root/kept; cat /data > /dev/null', within: 60 },
      ...POWER_OFF,
    ],
  });
  await run('sh', ['-c', `dd if=${disk} of=${disk}.part bs=1M skip=1 count=128 status=none`]);
  const { stdout } = await run('dumpe2fs', ['-h', `${disk}.part`]);
  expect(stdout).toMatch(/Filesystem state:\s+clean\n/);
});

test('a policy in the initrd is above the command line: forbidden words are not obeyed, nor seen by the image', async () => {
  const policy = 'forbid prompt\nforbid weakening\nfix viver.verify=full\n';
  const words = ['init=/bin/sh', 'viver.break=root', 'viver.cow=LABEL=x', 'EVIL=1', 'single', 'viver.verify=off'];
  await runScenario({
    name: 'trust-policy',
    kernel: await kernelWith(
      { 'etc/viver/policy': policy, 'etc/viver/field.key': 'a secret of this test\n' },
      ...words,
    ),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(small) }],
    steps: [
      { wait: /viver: warning: command line: init=\/bin\/sh: refused by \/etc\/viver\/policy/, within: 90 },
      { wait: rootReady({ image: 'small', cow: 'ram' }), within: 60 },
      ...LOGIN,
      // This image mounts a /proc of its own over that which it is given.
      { run: 'umount /proc; cat /proc/cmdline', output: /^console=ttyS0 mitigations=off EVIL=1 viver\.verify=full$/ },
      { run: 'tr "\\0" "\\n" < /proc/1/environ | grep -c EVIL', status: 1, output: /^0$/ },
      { run: 'tr "\\0" " " < /proc/1/cmdline', output: /^(\/sbin\/)?init *$/ },
      // Nor does anybody but root reach what the root is made of, or a field's key.
      { run: 'echo "user:x:7:7::/:/bin/sh" >> /etc/passwd; su user -c "ls /run/viver/boot.json"' },
      { run: 'su user -c "ls -d /run/viver/lower/. /run/viver/cow/. /run/viver/private/lower/."', status: 1 },
      { run: 'ls /run/viver/lower/bin/busybox && ls -d /run/viver/cow/upper/etc' },
      { run: 'stat -c %a /run/initramfs/etc/viver/field.key', output: /^400$/ },
      ...POWER_OFF,
    ],
  });
});

test('where the policy forbids the prompt, a boot that fails says why and reboots', async () => {
  await runScenario({
    name: 'trust-no-prompt',
    kernel: await kernelWith({ 'etc/viver/policy': 'forbid prompt\n' }, 'viver.wait=1', 'viver.rescue'),
    steps: [
      { wait: /viver: boot failed: no disk image/, within: 90 },
      { wait: /viver: no prompt: \/etc\/viver\/policy forbids it; reboot in 30 s/, within: 10 },
      { expect: 'reset', within: 60 },
    ],
    mayStillRun: true,
  });
});
