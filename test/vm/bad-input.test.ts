import { readdirSync } from 'node:fs';
import { copyFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { newcArchive } from './harness/archive.ts';
import { initrdTree, viverKernel } from './harness/direct.ts';
import { made, overwrite } from './harness/disks.ts';
import { type Image, imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { product } from './harness/products.ts';
import { runScenario } from './harness/run-scenario.ts';
import type { Disk, Step } from './harness/scenario.ts';

let small: Image;
beforeAll(async () => {
  small = await smallImage();
});

/** The machine says why and offers a shell that works. */
const RESCUE: readonly Step[] = [
  { prompt: /rescue# $/, within: 60 },
  { type: 'stty -echo; PS1=\n' },
  { run: 'test -s /run/viver/boot.json || test -x /init' },
  { type: 'poweroff -f\n' },
  { expect: 'power-off', within: 20 },
];

interface Damage {
  readonly what: string;
  readonly says: RegExp;
  readonly apply: (file: string) => Promise<void>;
}

const DAMAGES: readonly Damage[] = [
  { what: 'truncated', says: /small\.sqfs: .*(cut short|truncated)/, apply: (file) => truncate(file, 5 << 20) },
  {
    what: 'no squashfs',
    says: /small\.sqfs: no squashfs/,
    apply: (file) => writeFile(file, 'not an image at all\n'.repeat(1e5)),
  },
  {
    what: 'corrupt in its superblock',
    says: /small\.sqfs: /,
    apply: (file) => overwrite(file, 40, Buffer.alloc(24, 0xff)),
  },
];

async function damaged({ what, apply }: Damage): Promise<string> {
  const name = `damaged-${what.replaceAll(' ', '-')}`;
  const sqfs = await made(`${name}.sqfs`, { description: String(apply), files: [small.sqfs] }, async (target) => {
    await copyFile(small.sqfs, target);
    await apply(target);
  });
  return imageDisk({ ...small, sqfs });
}

test.each(DAMAGES)('an image that is $what: a message and the rescue prompt', async (damage) => {
  await runScenario({
    name: `bad-${damage.what.replaceAll(' ', '-')}`,
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus: 'sata', file: await damaged(damage) }],
    steps: [{ wait: damage.says, within: 90 }, ...RESCUE],
  });
});

test('beside damaged images the whole one is booted', async () => {
  const bad = await Promise.all(DAMAGES.map(damaged));
  await runScenario({
    name: 'bad-beside-good',
    kernel: viverKernel(),
    disks: [
      ...bad.map((file, index): Disk => ({ name: `bad${index}`, bus: 'nvme', file })),
      { name: 'good', bus: 'usb', file: await imageDisk(small) },
    ],
    steps: [{ wait: rootReady({ image: 'small', medium: 'usb' }), within: 90 }, ...LOGIN, ...POWER_OFF],
  });
});

const UNREADABLE = [{ on: 'read', errno: 5 }] as const;

test('a disk that cannot be read is passed over', async () => {
  const file = await imageDisk(small);
  await runScenario({
    name: 'unreadable-disk',
    kernel: viverKernel(),
    disks: [
      { name: 'dead', bus: 'sata', file, errors: UNREADABLE },
      { name: 'good', bus: 'usb', file },
    ],
    steps: [{ wait: rootReady({ image: 'small', medium: 'usb' }), within: 120 }, ...LOGIN, ...POWER_OFF],
  });
});

test('a disk that cannot be read, alone: a message and the rescue prompt', async () => {
  await runScenario({
    name: 'unreadable-alone',
    kernel: viverKernel(),
    disks: [{ name: 'dead', bus: 'sata', file: await imageDisk(small), errors: UNREADABLE }],
    steps: [{ wait: /viver: .*sda/, within: 120 }, ...RESCUE],
  });
});

test('an image with an unreadable sector, pinned: the next candidate is booted', async () => {
  const file = await imageDisk(small);
  const sector = Math.floor(
    (await readFile(file)).indexOf((await readFile(small.sqfs)).subarray(1 << 20, (1 << 20) + 64)) / 512,
  );
  expect(sector).toBeGreaterThan(0);
  await runScenario({
    name: 'unreadable-sector',
    kernel: viverKernel(`viver.image=small@sha256:${small.id}`),
    disks: [
      { name: 'dying', bus: 'nvme', file, errors: [{ on: 'read', errno: 5, sector }] },
      { name: 'good', bus: 'usb', file },
    ],
    steps: [{ wait: rootReady({ image: 'small', medium: 'usb' }), within: 120 }, ...LOGIN, ...POWER_OFF],
  });
});

test('no image at all: a message and the rescue prompt, where a JavaScript prompt is at hand', async () => {
  await runScenario({
    name: 'no-image',
    kernel: viverKernel('viver.wait=1'),
    steps: [
      { wait: /viver: .*no (disk )?image/i, within: 90 },
      { prompt: /rescue# $/, within: 30 },
      { type: 'js\n' },
      { prompt: /> $/, within: 30 },
      { type: '6 * 7\n' },
      { wait: /^42$/, within: 30 },
      { type: '.exit\n' },
      ...RESCUE,
    ],
  });
});

test('no image at all with panic=5: a message, then a reboot', async () => {
  await runScenario({
    name: 'no-image-panic',
    kernel: viverKernel('viver.wait=1', 'panic=5'),
    steps: [
      { wait: /viver: .*no (disk )?image/i, within: 90 },
      { expect: 'reset', within: 30 },
    ],
    mayStillRun: true,
  });
});

/** The initrd with files laid over it: the kernel unpacks archives one after the other. */
function initrdWith(name: string, files: Readonly<Record<string, Buffer>>): Promise<string> {
  const original = product('viverrd.zst');
  const inputs = { description: Object.keys(files), files: [original] };
  return made(name, inputs, async (target) => {
    const archive = await readFile(original);
    const padding = Buffer.alloc((4 - (archive.length % 4)) % 4);
    const entries = Object.entries(files).map(([path, data]) => ({ path, mode: 0o100644, data }));
    await writeFile(target, Buffer.concat([archive, padding, newcArchive(entries)]));
  });
}

test('a driver that fails to load is named, and the next best medium is taken', async () => {
  const modules = join(initrdTree(), 'lib/modules');
  const [version = ''] = readdirSync(modules);
  const found = readdirSync(join(modules, version), { recursive: true, encoding: 'utf8' }).find((path) =>
    /\/nvme\.ko(\.\w+)?$/.test(path),
  );
  if (found === undefined) throw new Error(`${modules}/${version}: no nvme.ko`);
  const path = `lib/modules/${version}/${found}`;
  const initrd = await initrdWith('broken-nvme.initrd', { [path]: Buffer.from('this is no kernel module\n') });
  const file = await imageDisk(small);
  await runScenario({
    name: 'broken-module',
    kernel: { ...viverKernel(), initrd },
    disks: [
      { name: 'fast', bus: 'nvme', file },
      { name: 'stick', bus: 'usb', file },
    ],
    steps: [
      { wait: /viver: .*nvme/, within: 90 },
      { wait: rootReady({ image: 'small', medium: 'usb' }), within: 60 },
      ...LOGIN,
      ...POWER_OFF,
    ],
  });
});

test('garbage on the command line is warned of, each word, and the machine boots', async () => {
  const words = ['viver.imge=small', 'viver.media=floppy', 'viver.image=@@@', 'viver.cow=', 'viver.', 'viver.wait=-1'];
  const console = [
    'console=',
    'console=,',
    'console=tty99',
    'panic=abc',
    'init=',
    'NODE_OPTIONS=--bogus',
    'console=ttyS0',
  ];
  const more = [...console, '=', 'x'.repeat(300), '\u00e4\u00f6\u00fc=\u2603', 'viver.verify="un closed'];
  const outcome = await runScenario({
    name: 'garbage-command-line',
    kernel: viverKernel(...words, ...more),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(small) }],
    steps: [{ wait: rootReady({ image: 'small' }), within: 90 }, ...LOGIN, ...POWER_OFF],
  });
  const text = outcome.console.map((line) => line.text).join('\n');
  for (const word of words) expect(text).toContain(`warning: command line: ${word}:`);
});

test('among 300 disks the one with the image is found', async () => {
  const empty = Array.from({ length: 300 }, (_, index): Disk => ({ name: `empty${index}`, bus: 'scsi' }));
  await runScenario({
    name: 'three-hundred-disks',
    kernel: viverKernel(),
    disks: [...empty, { name: 'disk', bus: 'scsi', file: await imageDisk(small) }],
    steps: [{ wait: rootReady({ image: 'small', medium: 'scsi' }), within: 240 }, ...LOGIN, ...POWER_OFF],
  });
});
