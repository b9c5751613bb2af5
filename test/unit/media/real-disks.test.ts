import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sysfs } from '../../../src/media/block-devices.ts';

/** Real file systems on real loop devices, searched in a mount namespace of their own. Needs root. */

const MIB = 1024 * 1024;
const kernelKnows = new Set(readFileSync('/proc/filesystems', 'utf8').split(/\s+/));
const program = join(import.meta.dirname, 'search-in-namespace.ts');
let folder: string;
let image: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-real-disks-'));
  image = join(folder, 'debian.sqfs');
  execFileSync('mksquashfs', [import.meta.dirname, image, '-quiet', '-no-progress', '-all-root']);
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

function withLoop<T>(file: string, use: (device: string) => T): T {
  const device = run('losetup', '--find', '--show', file);
  try {
    return use(device);
  } finally {
    for (const name of sysfs.list(`/sys/class/block/${device.replace('/dev/', '')}`)) {
      if (/^loop\d+p\d+$/.test(name)) run('delpart', device, name.replace(/^.*p/, ''));
    }
    run('losetup', '--detach', device);
  }
}

/** Searches the loop devices (and their partitions) as the boot does. */
function search(...devices: string[]): { name: string; seen: string; candidates: { name: string; bytes: number }[] }[] {
  const names = devices.map((device) => device.replace('/dev/', ''));
  return JSON.parse(run('unshare', '--mount', '--propagation', 'private', process.execPath, program, folder, ...names));
}

const digestOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

describe.each(
  [
    { type: 'ext4', sizeBytes: 16 * MIB, make: 'mkfs.ext4 -q' },
    { type: 'ext3', sizeBytes: 16 * MIB, make: 'mkfs.ext3 -q' },
    { type: 'ext2', sizeBytes: 16 * MIB, make: 'mkfs.ext2 -q' },
    { type: 'xfs', sizeBytes: 320 * MIB, make: 'mkfs.xfs -q' },
    { type: 'btrfs', sizeBytes: 128 * MIB, make: 'mkfs.btrfs -q' },
  ].filter(({ type }) => kernelKnows.has(type)),
)('$type', ({ type, sizeBytes, make }) => {
  let disk: string;
  beforeAll(() => {
    const clean = join(folder, `${type}.disk`);
    disk = join(folder, `${type}-dirty.disk`);
    writeFileSync(clean, '');
    truncateSync(clean, sizeBytes);
    run('sh', '-c', `${make} ${clean}`);
    // a copy taken while it is mounted is what a machine leaves that was switched off. The image itself was there
    // before: what is in XFS' log only does not show without a replay
    const script = `mkdir $1/mnt-$2 && mount $3 $1/mnt-$2 && mkdir $1/mnt-$2/viver && cp $1/debian.sqfs $1/mnt-$2/viver &&
      umount $1/mnt-$2 && mount $3 $1/mnt-$2 && touch $1/mnt-$2/dirt && sync -f $1/mnt-$2 && cp $4 $5 && umount $1/mnt-$2`;
    withLoop(clean, (device) =>
      run('unshare', '--mount', 'sh', '-ec', script, 'sh', folder, type, device, clean, disk),
    );
  });

  test('an image is found on it, and not a byte of the disk is written, although its journal is dirty', () => {
    const before = digestOf(disk);
    const reports = withLoop(disk, (device) => search(device));
    expect(reports).toMatchObject([{ seen: `${type}, debian.sqfs`, candidates: [{ name: 'debian' }] }]);
    expect(digestOf(disk)).toBe(before);
  });
});

test('images on several partitions, in a file system and alone, and a torn one are found on one disk', () => {
  const disk = join(folder, 'partitions.disk');
  const plain = join(folder, 'plain');
  mkdirSync(join(plain, 'viver'), { recursive: true });
  copyFileSync(image, join(plain, 'viver/debian.sqfs'));
  copyFileSync(image, join(plain, 'viver/torn.sqfs'));
  truncateSync(join(plain, 'viver/torn.sqfs'), 4096);
  writeFileSync(disk, '');
  truncateSync(disk, 48 * MIB);
  withLoop(disk, (device) => {
    // a kernel without the partition table's parser takes partitions by ioctl all the same
    for (const [number, start, size] of [
      [1, 2048, 32_768],
      [2, 34_816, 16_384],
      [3, 51_200, 16_384],
    ]) {
      run('addpart', device, `${number}`, `${start}`, `${size}`);
    }
    run('mkfs.ext4', '-q', '-d', plain, `${device}p1`);
    run('dd', `if=${image}`, `of=${device}p2`, 'bs=1M', 'conv=fsync', 'status=none');
    const name = device.replace('/dev/', '');
    expect(search(device)).toMatchObject([
      { name, seen: expect.stringMatching(`images are on its partition ${name}p[12]`) },
      { name: `${name}p1`, seen: expect.stringContaining('torn.sqfs: image truncated: 4096 of'), candidates: [{}] },
      { name: `${name}p2`, seen: 'an image alone on the device', candidates: [{ name: '' }] },
      { name: `${name}p3`, seen: 'no known file system', candidates: [] },
    ]);
  });
});

test('a file system on a whole disk leaves the partitions of that disk free to be mounted', () => {
  const disk = join(folder, 'whole.disk');
  const plain = join(folder, 'whole');
  mkdirSync(join(plain, 'viver'), { recursive: true });
  copyFileSync(image, join(plain, 'viver/debian.sqfs'));
  writeFileSync(disk, '');
  truncateSync(disk, 24 * MIB);
  run('mkfs.ext4', '-q', '-d', plain, disk, '16M');
  withLoop(disk, (device) => {
    run('addpart', device, '1', '32768', '16384');
    run('mkfs.ext4', '-q', `${device}p1`);
    const name = device.replace('/dev/', '');
    const mountPartition = ['sh', '-ec', `mkdir -p ${folder}/cow && mount ${device}p1 ${folder}/cow && echo mounted`];
    const words = ['--mount', '--propagation', 'private', process.execPath, program, folder, name];
    const [reports, then] = run('unshare', ...words, '--', ...mountPartition).split('\n');
    expect(JSON.parse(reports ?? '')).toMatchObject([
      { name, seen: 'ext4, debian.sqfs' },
      { name: `${name}p1`, seen: 'ext4, no directory /viver' },
    ]);
    expect(then).toBe('mounted');
  });
});

test('a corrupt superblock gives the mount error in one line', () => {
  const disk = join(folder, 'corrupt.disk');
  writeFileSync(disk, '');
  truncateSync(disk, 16 * MIB);
  run('mkfs.ext4', '-q', disk);
  const bytes = readFileSync(disk);
  bytes.writeUInt32LE(0xffff_fff0, 0x400 + 0x4); // blocks: far more than there are
  writeFileSync(disk, bytes);
  const [report] = withLoop(disk, (device) => search(device));
  expect(report?.candidates).toEqual([]);
  expect(report?.seen).toMatch(/^mount \S+ on \S+: E[A-Z]+ \(.+\)$/);
});

test('links, FIFOs and devices of a medium are not followed, and its names are made harmless', () => {
  const disk = join(folder, 'hostile.disk');
  const plain = join(folder, 'hostile');
  mkdirSync(join(plain, 'viver'), { recursive: true });
  copyFileSync(image, join(plain, 'viver/evil\x1b[2J\nname.sqfs'));
  symlinkSync(image, join(plain, 'viver/absolute.sqfs'));
  copyFileSync(image, join(plain, 'real.sqfs'));
  symlinkSync('../real.sqfs', join(plain, 'viver/relative.sqfs'));
  run('mkfifo', join(plain, 'viver/fifo.sqfs'));
  run('mknod', join(plain, 'viver/device.sqfs'), 'b', '7', '0');
  writeFileSync(disk, '');
  truncateSync(disk, 16 * MIB);
  run('mkfs.ext4', '-q', '-d', plain, disk);
  const [report] = withLoop(disk, (device) => search(device));
  expect(report?.candidates.map(({ name }) => name)).toEqual(['evil__2J_name']);
  expect(report?.seen).toMatch(/absolute\.sqfs: a link, which is not followed/);
  expect(report?.seen).toMatch(/relative\.sqfs: a link, which is not followed/);
  expect(report?.seen).toMatch(/fifo\.sqfs: no regular file/);
  expect(report?.seen).toMatch(/device\.sqfs: /);
});

test('a directory /viver that is a link is not followed', () => {
  const disk = join(folder, 'linked.disk');
  const plain = join(folder, 'linked');
  mkdirSync(join(plain, 'images'), { recursive: true });
  copyFileSync(image, join(plain, 'images/debian.sqfs'));
  symlinkSync('images', join(plain, 'viver'));
  writeFileSync(disk, '');
  truncateSync(disk, 16 * MIB);
  run('mkfs.ext4', '-q', '-d', plain, disk);
  const [report] = withLoop(disk, (device) => search(device));
  expect(report?.candidates).toEqual([]);
  expect(report?.seen).toMatch(/\/viver: a link, which is not followed/);
});

/** A btrfs over these files, filled by a script in which $1 is where it is mounted. */
function btrfsOver(files: readonly string[], script: string): void {
  for (const file of files) {
    writeFileSync(file, '');
    truncateSync(file, 128 * MIB);
  }
  const loops = files.map((file) => run('losetup', '--find', '--show', file));
  try {
    run('mkfs.btrfs', '-q', '-f', '-m', files.length > 1 ? 'raid1' : 'single', ...loops);
    const mountpoint = join(folder, 'btrfs');
    mkdirSync(mountpoint, { recursive: true });
    const options = loops.map((loop) => `device=${loop}`).join(',');
    const whole = `mount -o ${options} ${loops[0]} $1; ${script}; umount $1`;
    run('unshare', '--mount', 'sh', '-ec', whole, 'sh', mountpoint, image);
    run('btrfs', 'device', 'scan', '--forget');
  } finally {
    for (const loop of loops) run('losetup', '--detach', loop);
  }
}

const putImage = (directory: string) => `mkdir -p $1/${directory}/viver && cp $2 $1/${directory}/viver/`;

test('images in subvolumes of btrfs are found: in @, in root, in the default one, and beside it', () => {
  const cases: Readonly<Record<string, string>> = {
    '@': `btrfs -q subvolume create $1/@; btrfs -q subvolume create $1/@home; ${putImage('@')}`,
    root: `btrfs -q subvolume create $1/root; ${putImage('root')}`,
    deep: `mkdir $1/a; btrfs -q subvolume create $1/a/deep; ${putImage('a/deep')}; btrfs subvolume set-default $1/a/deep`,
    beside: `btrfs -q subvolume create $1/def; btrfs -q subvolume create $1/@; ${putImage('@')}
      btrfs subvolume set-default $1/def`,
  };
  for (const [name, script] of Object.entries(cases)) {
    const disk = join(folder, 'subvolumes.disk');
    btrfsOver([disk], script);
    const reports = withLoop(disk, (device) => search(device));
    expect(reports, name).toMatchObject([{ seen: 'btrfs, debian.sqfs', candidates: [{ name: 'debian' }] }]);
  }
  const disk = join(folder, 'subvolumes.disk');
  btrfsOver([disk], putImage('plain'));
  expect(withLoop(disk, (device) => search(device))).toMatchObject([{ seen: 'btrfs, no directory /viver' }]);
});

test('a btrfs over two devices is found when both are there, and one alone is named', () => {
  const disks = ['first', 'second'].map((name) => join(folder, `${name}.disk`));
  btrfsOver(disks, putImage('.'));
  const [first = '', second = ''] = disks;
  expect(withLoop(first, (device) => search(device))).toMatchObject([
    { seen: 'btrfs over 2 devices, of which 1 is here', candidates: [] },
  ]);
  const reports = withLoop(first, (one) => withLoop(second, (two) => search(one, two)));
  expect(reports.flatMap(({ candidates }) => candidates)).toMatchObject([{ name: 'debian' }]);
  expect(reports.map(({ seen }) => seen).sort()).toMatchObject([
    expect.stringMatching(/^btrfs over 2 devices, /),
    'btrfs, debian.sqfs',
  ]);
});

test('a disk of 4 KiB blocks, a partition beyond the end and one that lies about its file system do no harm', () => {
  const disk = join(folder, 'odd.disk');
  const plain = join(folder, 'odd');
  mkdirSync(join(plain, 'viver'), { recursive: true });
  copyFileSync(image, join(plain, 'viver/debian.sqfs'));
  writeFileSync(disk, '');
  truncateSync(disk, 64 * MIB);
  run('mkfs.ext4', '-q', '-b', '4096', '-d', plain, disk, '16M');
  const loop = run('losetup', '--find', '--show', '--sector-size', '4096', disk);
  try {
    expect(search(loop)).toMatchObject([{ seen: 'ext4, debian.sqfs' }]);
  } finally {
    run('losetup', '--detach', loop);
  }
  // the file system says that it is longer than what is left of the device
  truncateSync(disk, 8 * MIB);
  const [cut] = withLoop(disk, (device) => search(device));
  expect(cut?.candidates).toEqual([]);
  expect(cut?.seen).not.toBe('');
});
