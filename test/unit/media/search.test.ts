import { expect, test } from 'vitest';
import type { MediaAccess } from '../../../src/media/media-access.ts';
import { findImages, newSearchState, release, type SearchOptions } from '../../../src/media/search.ts';
import { device, fileOf, noEffects, partition, squashfsStart } from './devices.ts';
import { writeMdTo } from './md-superblock.ts';

const EXT4 = (() => {
  const bytes = new Uint8Array(4096);
  new DataView(bytes.buffer).setUint16(0x438, 0xef53, true);
  return bytes;
})();

/** A machine's media: device or file path → its first bytes, an error, or a promise that may never settle. */
interface Machine {
  readonly starts: Readonly<Record<string, Uint8Array | Error | Promise<never>>>;
  readonly folders?: Readonly<Record<string, readonly string[]>>;
  readonly mountFails?: Readonly<Record<string, string>>;
}

function machine({ starts, folders = {}, mountFails = {} }: Machine) {
  const mounted = new Set<string>();
  const calls: string[] = [];
  const access: MediaAccess = {
    ...noEffects,
    async open(path) {
      const start = await starts[path];
      if (start instanceof Error) throw start;
      if (start === undefined) throw new Error('ENOENT');
      return path.startsWith('/dev') ? fileOf(start) : fileOf(start, 2 ** 20);
    },
    async mount(source, target, type, options) {
      calls.push(`mount ${source} ${type} ${options.join(',')}`);
      const failure = mountFails[source];
      if (failure !== undefined) throw new Error(failure);
      mounted.add(target);
    },
    async unmount(target) {
      if (!mounted.delete(target)) throw new Error(`${target} is not mounted`);
    },
    list: async (directory) => folders[directory] ?? [],
    loop: (path) => ({ path: `loop on ${path}`, release: () => void calls.push(`release ${path}`) }),
  };
  const modules: string[] = [];
  const options: SearchOptions = {
    access,
    mountRoot: '/m',
    ensureModules: async (names) => void modules.push(...names),
  };
  return { options, mounted, calls, modules };
}

const seenOf = (reports: readonly { device: { name: string }; seen: string }[]) =>
  Object.fromEntries(reports.map((report) => [report.device.name, report.seen]));

test('images in /viver are found with what lies beside them, and the medium stays mounted', async () => {
  const { options, mounted, calls, modules } = machine({
    starts: {
      '/dev/sda1': EXT4,
      '/m/sda1/viver/debian.sqfs': squashfsStart(2 ** 20),
      '/m/sda1/viver/other.sqfs': squashfsStart(2 ** 19),
    },
    folders: {
      '/m/sda1/viver': [
        'debian.sqfs',
        'debian.caibx',
        'debian.caibx.minisig',
        'debian.release',
        'other.sqfs',
        '.hidden.sqfs',
        'notes',
      ],
    },
  });
  const [report] = await findImages([partition('sda', 1)], options);
  expect(report?.candidates).toMatchObject([
    {
      name: 'debian',
      fileSystem: 'ext2',
      mountpoint: '/m/sda1',
      path: '/m/sda1/viver/debian.sqfs',
      indexPath: '/m/sda1/viver/debian.caibx',
      signaturePath: '/m/sda1/viver/debian.caibx.minisig',
      releasePath: '/m/sda1/viver/debian.release',
      squashfs: { sizeBytes: 2 ** 20, madeSeconds: 1_700_000_000 },
    },
    { name: 'other' },
  ]);
  expect(report?.candidates[1]).not.toHaveProperty('indexPath');
  expect(report?.candidates[1]).not.toHaveProperty('releasePath');
  expect(report?.seen).toBe('ext2, debian.sqfs, other.sqfs');
  expect([...mounted]).toEqual(['/m/sda1']);
  expect(calls).toEqual(['mount /dev/sda1 ext4 noload']);
  expect(modules).toEqual(['ext4']);
});

test('a squashfs alone on a partition is an image, named by the partition', async () => {
  const { options, mounted } = machine({
    starts: { '/dev/sda1': squashfsStart(999), '/dev/sda2': squashfsStart(998) },
  });
  const named = partition('sda', 1, { partition: { number: 1, startBytes: 0, label: 'debian' } });
  const reports = await findImages([named, partition('sda', 2)], options);
  expect(reports.flatMap((report) => report.candidates)).toMatchObject([
    { name: 'debian', path: '/dev/sda1', fileSystem: 'squashfs' },
    { name: '', path: '/dev/sda2' },
  ]);
  expect(mounted.size).toBe(0);
});

test('the whole disk is looked at only when its partitions hold no image', async () => {
  const both = { '/dev/sda': EXT4, '/dev/sda1': EXT4, '/m/sda1/viver/a.sqfs': squashfsStart(900) };
  const onPartition = machine({
    starts: { ...both, '/m/sda/viver/a.sqfs': squashfsStart(900) },
    folders: { '/m/sda1/viver': ['a.sqfs'], '/m/sda/viver': ['a.sqfs'] },
  });
  const disk = [device('sda'), partition('sda', 1)];
  const reports = await findImages(disk, onPartition.options);
  expect(reports.flatMap((report) => report.candidates)).toMatchObject([{ device: { name: 'sda1' } }]);
  expect(seenOf(reports).sda).toBe('images are on its partition sda1');

  const onWhole = machine({
    starts: { ...both, '/m/sda/viver/a.sqfs': squashfsStart(900) },
    folders: { '/m/sda/viver': ['a.sqfs'] },
  });
  const whole = await findImages(disk, onWhole.options);
  expect(whole.flatMap((report) => report.candidates)).toMatchObject([{ device: { name: 'sda' } }]);
  expect([...onWhole.mounted]).toEqual(['/m/sda']);
  // through a loop device, so that the partitions can still be mounted
  expect(onWhole.calls.slice(1)).toEqual(['mount loop on /dev/sda ext4 noload', 'release /dev/sda']);
});

test('an unreadable, a hung, an odd and an empty disk are reported while the others go on', async () => {
  const { options, mounted } = machine({
    starts: {
      '/dev/sda': new Error('EIO: i/o error, read'),
      '/dev/sdb': new Promise<never>(() => {}),
      '/dev/sdc': new Uint8Array(4096),
      '/dev/sdd': Uint8Array.from(Buffer.from('LUKS\xba\xbe', 'latin1')),
      '/dev/sde': EXT4,
      '/dev/sdf': EXT4,
      '/dev/sdg': EXT4,
      '/m/sdg/viver/good.sqfs': squashfsStart(900),
    },
    folders: { '/m/sdf/viver': ['notes'], '/m/sdg/viver': ['good.sqfs'] },
    mountFails: { '/dev/sde': 'Structure needs cleaning' },
  });
  const reports = await findImages(
    'abcdefg'.split('').map((letter) => device(`sd${letter}`)),
    { ...options, deviceTimeoutMs: 1000 },
  );
  expect(seenOf(reports)).toEqual({
    sda: 'EIO: i/o error, read',
    sdb: 'no answer in 1 s',
    sdc: 'no known file system',
    sdd: 'crypto_LUKS: encrypted',
    sde: 'Structure needs cleaning',
    sdf: 'ext2, no image in /viver',
    sdg: 'ext2, good.sqfs',
  });
  expect([...mounted]).toEqual(['/m/sdg']);
});

test('a file system that the kernel cannot mount is named', async () => {
  const { options } = machine({
    starts: { '/dev/sda': EXT4 },
    mountFails: { '/dev/sda': 'mounting /dev/sda on /m/sda failed: No such device' },
  });
  const [report] = await findImages([device('sda')], options);
  expect(report?.seen).toBe('ext2: this kernel has no driver for it (ext4)');
});

test('a truncated image, one that is no squashfs and an unreadable one are named; the good one beside them counts', async () => {
  const { options } = machine({
    starts: {
      '/dev/sda': EXT4,
      '/m/sda/viver/cut.sqfs': squashfsStart(2 ** 21),
      '/m/sda/viver/odd.sqfs': new Uint8Array(96),
      '/m/sda/viver/short.sqfs': new Uint8Array(3),
      '/m/sda/viver/bad.sqfs': new Error('EIO: i/o error, read'),
      '/m/sda/viver/good.sqfs': squashfsStart(900),
    },
    folders: { '/m/sda/viver': ['cut.sqfs', 'odd.sqfs', 'short.sqfs', 'bad.sqfs', 'good.sqfs'] },
  });
  const [report] = await findImages([device('sda')], options);
  expect(report?.candidates.map((found) => found.name)).toEqual(['good']);
  expect(report?.seen.split(', ').slice(1)).toEqual([
    'bad.sqfs: EIO: i/o error',
    'read',
    'cut.sqfs: image truncated: 1048576 of 2097152 bytes are there',
    'good.sqfs',
    'odd.sqfs: no squashfs image: wrong magic number',
    'short.sqfs: no squashfs image: 3 bytes are too short for a superblock',
  ]);
});

test('a mount that comes too late is taken back', async () => {
  const { options, mounted } = machine({
    starts: { '/dev/sda': EXT4, '/m/sda/viver/a.sqfs': squashfsStart(900) },
    folders: { '/m/sda/viver': ['a.sqfs'] },
  });
  const gate = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const { access } = options;
  const slow: MediaAccess = {
    ...access,
    async mount(...request) {
      await gate.promise;
      await access.mount(...request);
    },
    async unmount(target) {
      await access.unmount(target);
      released.resolve();
    },
  };
  const [report] = await findImages([device('sda')], { ...options, access: slow, deviceTimeoutMs: 5 });
  expect(report).toMatchObject({ candidates: [], seen: 'no answer in 0.005 s' });
  gate.resolve();
  await released.promise;
  expect(mounted.size).toBe(0);
});

test('300 disks are searched, each once', async () => {
  const disks = Array.from({ length: 300 }, (_, i) => device(`vd${i}`));
  const { options, calls } = machine({ starts: Object.fromEntries(disks.map((disk) => [disk.path, EXT4])) });
  const reports = await findImages(disks, options);
  expect(new Set(reports.map((report) => report.device.name)).size).toBe(300);
  expect(calls.length).toBe(300);
});

/** The start of an ISO whose root directory, in block 20, holds these directories. */
function isoStart(...directories: readonly string[]): Uint8Array {
  const bytes = Buffer.alloc(21 * 2048);
  const descriptor = bytes.subarray(16 * 2048);
  descriptor.write('\x01CD001\x01');
  descriptor.writeUInt16LE(2048, 128);
  descriptor.writeUInt32LE(21, 80);
  descriptor.writeUInt32LE(20, 158);
  descriptor.writeUInt32LE(2048, 166);
  let at = 20 * 2048;
  for (const name of directories) {
    bytes.writeUInt8(34 + name.length, at);
    bytes.writeUInt8(2, at + 25);
    bytes.writeUInt8(name.length, at + 32);
    bytes.write(name, at + 33);
    at += 34 + name.length;
  }
  return bytes;
}

/** A stick with ISO files in its folders: path → start. */
function withIsos(isos: Readonly<Record<string, Uint8Array>>, more: Readonly<Record<string, readonly string[]>> = {}) {
  const folders: Record<string, string[]> = {};
  for (const path of Object.keys(isos)) {
    const cut = path.lastIndexOf('/');
    const folder = cut <= 0 ? '/m/sda1' : `/m/sda1${path.slice(0, cut)}`;
    folders[folder] = [...(folders[folder] ?? []), path.slice(cut + 1)];
  }
  const starts = Object.fromEntries(Object.entries(isos).map(([path, start]) => [`/m/sda1${path}`, start]));
  const of = machine({
    starts: {
      '/dev/sda1': EXT4,
      ...starts,
      ...Object.fromEntries([0, 1].map((i) => [`/m/sda1.iso${i}/viver/debian.sqfs`, squashfsStart(900)])),
    },
    folders: { ...folders, ...more, '/m/sda1.iso0/viver': ['debian.sqfs'], '/m/sda1.iso1/viver': ['debian.sqfs'] },
  });
  const directories: Readonly<Record<string, readonly string[]>> = {
    '/m/sda1': ['iso', 'Boot', 'home', 'srv'],
    '/m/sda1/Boot': ['ISO'],
  };
  const access: MediaAccess = { ...of.options.access, folders: async (path) => directories[path] ?? [] };
  return { ...of, options: { ...of.options, access } };
}

test('images inside ISO files are found in the root, /iso, /boot and /boot/iso, and other ISOs are not mounted', async () => {
  const { options, mounted, calls, modules } = withIsos({
    '/a.iso': isoStart('boot', 'VIVER'),
    '/other.iso': isoStart('casper'),
    '/iso/no-iso.iso': new Uint8Array(4096),
    '/Boot/ISO/b.ISO': isoStart('viver'),
    '/home/c.iso': isoStart('viver'),
    '/.d.iso': isoStart('viver'),
  });
  const [report] = await findImages([partition('sda', 1)], options);
  expect(report?.candidates).toMatchObject([
    {
      name: 'debian',
      device: { name: 'sda1' },
      fileSystem: 'iso9660',
      mountpoint: '/m/sda1.iso0',
      path: '/m/sda1.iso0/viver/debian.sqfs',
      iso: { path: '/m/sda1/Boot/ISO/b.ISO', mountpoint: '/m/sda1', isNamed: false },
    },
    { iso: { path: '/m/sda1/a.iso' } },
  ]);
  expect(report?.seen).toBe('ext2, /Boot/ISO/b.ISO: debian.sqfs, /a.iso: debian.sqfs');
  expect(calls.filter((call) => call.includes('iso9660')).length).toBe(2);
  expect(modules).toContain('loop');
  expect([...mounted].sort()).toEqual(['/m/sda1', '/m/sda1.iso0', '/m/sda1.iso1']);
  await release(report === undefined ? [] : [report], options.access);
  expect(mounted.size).toBe(0);
});

test('the ISO that the boot loader named is found wherever it lies, and is told from others', async () => {
  const { options } = withIsos({ '/srv/x.iso': isoStart('viver'), '/a.iso': isoStart('viver') });
  const named = { ...options, namedIso: { path: '/srv/x.iso' } };
  const [report] = await findImages([partition('sda', 1)], named);
  expect(report?.candidates.map(({ iso }) => [iso?.path, iso?.isNamed])).toEqual([
    ['/m/sda1/srv/x.iso', true],
    ['/m/sda1/a.iso', false],
  ]);
  const elsewhere = { ...options, namedIso: { path: '/srv/x.iso', isOn: async () => false } };
  const [other] = await findImages([partition('sda', 1)], elsewhere);
  expect(other?.candidates.map(({ iso }) => [iso?.path, iso?.isNamed])).toEqual([['/m/sda1/a.iso', false]]);
});

test('the partitions of a disk that is a member of a RAID are the RAID’s', async () => {
  const { options, mounted } = machine({
    starts: { '/dev/sda1': EXT4, '/m/sda1/viver/a.sqfs': squashfsStart(900) },
    folders: { '/m/sda1/viver': ['a.sqfs'] },
  });
  const sizeBytes = 2 << 20;
  const whole = Buffer.alloc(sizeBytes);
  writeMdTo(whole, '1.0');
  const access: MediaAccess = {
    ...options.access,
    open: (path) => (path === '/dev/sda' ? Promise.resolve(fileOf(whole)) : options.access.open(path)),
  };
  const reports = await findImages([device('sda', { sizeBytes }), partition('sda', 1)], { ...options, access });
  expect(seenOf(reports)).toEqual({
    sda: expect.stringMatching(/^linux_raid_member: part of a software RAID/),
    sda1: 'on sda, which is a linux_raid_member',
  });
  expect(mounted.size).toBe(0);
});

function btrfsStart(devices: number): Uint8Array {
  const bytes = Buffer.alloc(68 * 1024);
  bytes.write('_BHRfS_M', 0x1_0040);
  bytes.fill(9, 0x1_0020, 0x1_0030);
  bytes.writeBigUInt64LE(BigInt(devices), 0x1_0088);
  return bytes;
}

test('a btrfs over two devices is mounted when both are here, once', async () => {
  const start = btrfsStart(2);
  const of = machine({
    starts: { '/dev/sda': start, '/dev/sdb': start, '/m/sdb/viver/a.sqfs': squashfsStart(900) },
    folders: { '/m/sdb/viver': ['a.sqfs'] },
  });
  const registered: string[] = [];
  const access: MediaAccess = { ...of.options.access, registerBtrfs: async (path) => void registered.push(path) };
  const options = { ...of.options, access };
  const state = newSearchState();
  const alone = await findImages([device('sda')], options, state);
  expect(seenOf(alone)).toEqual({ sda: 'btrfs over 2 devices, of which 1 is here' });
  expect([...of.mounted]).toEqual([]);
  const both = await findImages([device('sdb')], options, state);
  expect(seenOf(both)).toEqual({ sdb: 'btrfs, a.sqfs' });
  expect(seenOf(await findImages([device('sda')], options, state))).toEqual({
    sda: 'btrfs over 2 devices, seen on /dev/sdb',
  });
  expect(registered).toEqual(['/dev/sda', '/dev/sdb', '/dev/sda']);
  expect([...of.mounted]).toEqual(['/m/sdb']);
});

test('images in subvolumes of btrfs are found, and below its top when the default is another', async () => {
  const of = machine({
    starts: { '/dev/sda': btrfsStart(1), '/m/sda.1/@/viver/a.sqfs': squashfsStart(900) },
    folders: { '/m/sda.1/@/viver': ['a.sqfs'] },
  });
  const access: MediaAccess = {
    ...of.options.access,
    folders: async (path) => (path === '/m/sda.1' ? ['@', 'plain'] : []),
    isSubvolume: async (path) => path === '/m/sda.1/@',
  };
  const [report] = await findImages([device('sda')], { ...of.options, access });
  expect(report?.candidates).toMatchObject([{ path: '/m/sda.1/@/viver/a.sqfs', mountpoint: '/m/sda.1' }]);
  expect(of.calls).toEqual([
    'mount /dev/sda btrfs rescue=nologreplay',
    'mount /dev/sda btrfs rescue=nologreplay,subvolid=5',
  ]);
  expect([...of.mounted]).toEqual(['/m/sda.1']);
});
