/** Where a person reads what goes on, and types: consoles that are there, late, or named and not there. */
import { beforeAll, expect, test } from 'vitest';
import { viverKernel } from './harness/direct.ts';
import { type Image, imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { runScenario } from './harness/run-scenario.ts';
import type { DirectKernel, Step } from './harness/scenario.ts';

/** VIVER's kernel with exactly these words: the harness' own name its serial port. */
function kernelWith(...words: readonly string[]): DirectKernel {
  return { ...viverKernel(), commandLine: ['mitigations=off', ...words].join(' ') };
}

const HVC_INITTAB = `::sysinit:/bin/mount -t proc proc /proc
hvc0::respawn:/bin/getty -L 115200 hvc0 vt100
::shutdown:/bin/umount -a -r
`;

const PROMPT: readonly Step[] = [{ prompt: /rescue# $/, within: 60 }, { type: 'stty -echo; PS1=\n' }, { run: 'true' }];
const OFF: readonly Step[] = [{ type: 'poweroff\n' }, { expect: 'power-off', within: 20 }];

let small: Image;
beforeAll(async () => {
  small = await smallImage();
});

test('console=hvc0: the whole boot is read there, and the init has it', async () => {
  const image = await smallImage('hvc', { 'etc/inittab': HVC_INITTAB });
  const { console } = await runScenario({
    name: 'console-hvc0',
    console: 'virtio',
    kernel: kernelWith('console=hvc0'),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    steps: [
      { wait: rootReady({ image: 'small' }), within: 90 },
      ...LOGIN,
      { run: 'readlink -f /proc/1/fd/0; readlink -f /proc/1/fd/2', output: /^\/dev\/console\n\/dev\/console$/ },
      { run: 'cat /sys/class/tty/console/active', output: /^hvc0$/ },
      ...POWER_OFF,
    ],
  });
  expect(console.map(({ text }) => text).join('\n')).toMatch(
    /viver: \[1\/6\] filesystems[\s\S]*viver: \[2\/6\] hardware/,
  );
});

test('a serial port that is named and not there does not end the prompt elsewhere, nor does printk.devkmsg=off', async () => {
  const { console } = await runScenario({
    name: 'no-uart',
    console: 'virtio',
    kernel: kernelWith('console=ttyS0,115200', 'console=hvc0', 'viver.wait=1', 'printk.devkmsg=off'),
    steps: [
      { wait: /viver: boot failed: no disk image/, within: 90 },
      ...PROMPT,
      { pauseSeconds: 3, because: 'a shell on a dead port would end by now, and the prompt with it' },
      { run: 'echo still here', output: /^still here$/ },
      ...OFF,
    ],
  });
  expect(console.map(({ text }) => text).filter((text) => /viver: warning/.test(text))).toEqual([]);
});

test('the root is mounted on a machine whose last console is a serial port that is not there', async () => {
  await runScenario({
    name: 'no-uart-boots',
    console: 'virtio',
    kernel: kernelWith('console=hvc0', 'console=ttyS0,115200'),
    disks: [
      { name: 'disk', bus: 'virtio', file: await imageDisk(await smallImage('hvc', { 'etc/inittab': HVC_INITTAB })) },
    ],
    steps: [{ wait: rootReady({ image: 'small' }), within: 90 }, ...LOGIN, ...POWER_OFF],
  });
});

test('panic= counts down where a person sees it, and a key gives the prompt', async () => {
  await runScenario({
    name: 'panic-key',
    kernel: kernelWith('console=tty0', 'console=ttyS0', 'viver.wait=1', 'panic=60', 'viver.keymap=klingon'),
    steps: [
      { wait: /viver: warning: viver\.keymap=klingon: no such keymap; there are: .* de .* us /, within: 90 },
      { wait: /viver: boot failed/, within: 90 },
      { wait: /reboot in 5\d s \(panic=60\); any key/, within: 30 },
      { type: ' ' },
      ...PROMPT,
      ...OFF,
    ],
  });
});

test('panic=-1 reboots at once, after what failed is told', async () => {
  await runScenario({
    name: 'panic-at-once',
    kernel: kernelWith('console=ttyS0', 'console=tty0', 'viver.wait=1', 'panic=-1'),
    steps: [
      { wait: /viver: boot failed/, within: 90 },
      { expect: 'reset', within: 10 },
    ],
    mayStillRun: true,
  });
});

test('no console that can be opened: the boot goes on, and the init starts', async () => {
  const inittab = `::sysinit:/bin/mount -t proc proc /proc
::once:/bin/sh -c "echo started > /dev/ttyS0; poweroff"
`;
  const image = await smallImage('no-console', { 'etc/inittab': inittab });
  await runScenario({
    name: 'no-console',
    kernel: kernelWith('console=ttyS9'),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    steps: [
      { wait: /^started$/, within: 120 },
      { expect: 'power-off', within: 30 },
    ],
  });
});

test('quiet: the consoles have warnings only, the report has all', async () => {
  const { console } = await runScenario({
    name: 'quiet',
    kernel: kernelWith('console=ttyS0', 'quiet', 'viver.nonsense'),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(small) }],
    steps: [
      ...LOGIN,
      { run: 'grep -c \'"name": "[a-z]*",$\' /run/viver/boot.json', output: /[1-9]/ },
      { run: 'dmesg | grep "viver: root ready"' },
      ...POWER_OFF,
    ],
  });
  const before = console.map(({ text }) => text).filter((text) => text.includes('viver: '));
  expect(before.filter((text) => !text.includes('login:'))[0]).toMatch(/warning: command line: viver.nonsense/);
  expect(before.some((text) => /^viver: \[\d\/6\]/.test(text))).toBe(false);
});

/** Keys of the keyboard by their places on an American one; with shift when marked. */
const press = (keys: string): readonly Step[] =>
  keys.split(' ').map((key) => ({
    qmp: 'send-key',
    arguments: {
      keys: [...(key.startsWith('^') ? ['shift'] : []), key.replace('^', '')].map((data) => ({ type: 'qcode', data })),
      'hold-time': 30,
    },
  }));

test("viver.keymap= at the screen's prompt, with the keyboard of the machine", async () => {
  await runScenario({
    name: 'keymap',
    kernel: kernelWith('console=ttyS0', 'console=tty0', 'viver.rescue', 'viver.keymap=de'),
    steps: [
      ...PROMPT,
      // echo zy>/dev/ttyS0, where a German keyboard has each
      ...press('e c h o spc y z ^less ^7 d e v ^7 t t z ^s 0 ret'),
      { wait: /^zy$/, within: 20 },
      ...OFF,
    ],
  });
});
