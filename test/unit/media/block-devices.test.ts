import { expect, test } from 'vitest';
import { readBlockDevices, type SysfsReader } from '../../../src/media/block-devices.ts';

/** A sysfs of disks: path below /sys/devices → attributes. */
function sysfsOf(tree: Readonly<Record<string, Readonly<Record<string, string>>>>): SysfsReader {
  const paths = Object.keys(tree).map((path) => `/sys/devices/${path}`);
  const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);
  return {
    list: (path) => (path === '/sys/class/block' ? paths.filter((name) => /\/block\//.test(name)).map(nameOf) : []),
    resolve: (path) => paths.find((name) => nameOf(name) === nameOf(path)),
    text(path) {
      const normal = path.replace(/\/[^/]+\/\.\.(?=\/|$)/g, '');
      const owner = paths.filter((name) => normal.startsWith(`${name}/`)).sort((a, b) => b.length - a.length)[0];
      return owner === undefined
        ? undefined
        : tree[owner.slice('/sys/devices/'.length)]?.[normal.slice(owner.length + 1)];
    },
  };
}

const size = { size: '2048' };

test.each([
  ['nvme', 'pci0000:00/0000:00:1d.0/0000:04:00.0/nvme/nvme0/block/nvme0n1'],
  ['nvme', 'virtual/nvme-subsystem/nvme-subsys0/block/nvme1n1'],
  ['sata', 'pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda'],
  ['usb', 'pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb'],
  ['usb', 'platform/soc/fe9c0000.xhci/xhci-hcd.0/usb1/1-1/1-1.2/1-1.2:1.0/host0/target0:0:0/0:0:0:0/block/sdc'],
  ['mmc', 'pci0000:00/0000:00:03.0/mmc_host/mmc0/mmc0:4567/block/mmcblk0'],
  ['cd', 'pci0000:00/0000:00:1f.2/ata2/host1/target1:0:0/1:0:0:0/block/sr0'],
  ['ide', 'pci0000:00/0000:00:01.1/ide0/0.0/block/hda'],
  ['scsi', 'pci0000:00/0000:00:04.0/virtio1/block/vda'],
  ['scsi', 'pci0000:00/0000:00:05.0/host2/port-2:0/end_device-2:0/target2:0:0/2:0:0:0/block/sdd'],
  ['scsi', 'vbd-51712/block/xvda'],
  ['scsi', 'LNXSYSTM:00/LNXSYBUS:00/ACPI0004:00/VMBUS:00/f8b3781a/host0/target0:0:0/0:0:0:0/block/sde'],
] as const)('a disk of type %s is told by its path %s', (medium, path) => {
  expect(readBlockDevices('/sys', { reader: sysfsOf({ [path]: size }) }).devices).toMatchObject([{ medium }]);
});

test('a disk of a controller of PCI class IDE counts as ide', () => {
  const reader = sysfsOf({
    'pci0000:00/0000:00:01.1': { class: '0x010180' },
    'pci0000:00/0000:00:01.1/ata1/host0/target0:0:0/0:0:0:0/block/sda': size,
  });
  expect(readBlockDevices('/sys', { reader }).devices).toMatchObject([{ medium: 'ide' }]);
});

test('an optical drive counts as cd by its SCSI type too, whatever its bus and name', () => {
  const reader = sysfsOf({ 'pci0000:00/usb2/2-1/2-1:1.0/host6/block/scd0': { ...size, 'device/type': '5' } });
  expect(readBlockDevices('/sys', { reader }).devices).toMatchObject([{ medium: 'cd', disk: 'scd0' }]);
});

test('a partition knows its disk, number, start and label, and takes over what is said of the disk', () => {
  const disk = 'pci0000:00/usb2/2-1/block/sdb';
  const reader = sysfsOf({
    [disk]: {
      size: '4096',
      removable: '1',
      ro: '0',
      diskseq: '12',
      'device/model': 'Flash Disk',
      'queue/logical_block_size': '4096',
    },
    [`${disk}/sdb1`]: { size: '1024', partition: '1', start: '2048', ro: '1', uevent: 'DEVNAME=sdb1\nPARTNAME=debian' },
  });
  expect(readBlockDevices('/sys', { reader }).devices).toEqual([
    {
      name: 'sdb',
      path: '/dev/sdb',
      sysPath: `/sys/devices/${disk}`,
      sizeBytes: 4096 * 512,
      sectorBytes: 4096,
      readOnly: false,
      removable: true,
      medium: 'usb',
      disk: 'sdb',
      sequence: 12,
      model: 'Flash Disk',
    },
    {
      name: 'sdb1',
      path: '/dev/sdb1',
      sysPath: `/sys/devices/${disk}/sdb1`,
      sizeBytes: 1024 * 512,
      sectorBytes: 4096,
      readOnly: true,
      removable: true,
      medium: 'usb',
      disk: 'sdb',
      sequence: 12,
      model: 'Flash Disk',
      partition: { number: 1, startBytes: 2048 * 512, label: 'debian' },
    },
  ]);
});

test('memory, loop, assembled and hidden devices and empty drives are skipped, each with its reason', () => {
  const reader = sysfsOf({
    'virtual/block/ram0': size,
    'virtual/block/zram0': size,
    'virtual/block/loop0': size,
    'virtual/block/nbd0': size,
    'virtual/block/dm-0': size,
    'virtual/block/md0': size,
    'platform/floppy.0/block/fd0': size,
    'x/mmc_host/mmc0/mmc0:1/block/mmcblk0': size,
    'x/mmc_host/mmc0/mmc0:1/block/mmcblk0boot0': size,
    'x/nvme/nvme0/block/nvme0c0n1': { ...size, hidden: '1' },
    'x/usb1/1-1/block/sdq': { size: '0' },
  });
  const { devices, skipped } = readBlockDevices('/sys', { reader });
  expect(devices.map((device) => device.name)).toEqual(['mmcblk0']);
  expect(Object.fromEntries(skipped.map((row) => [row.name, row.reason]))).toEqual({
    ram0: 'RAM disk',
    zram0: 'compressed RAM',
    loop0: 'loop device',
    nbd0: 'network block device',
    'dm-0': 'assembled from other devices',
    md0: 'assembled from other devices',
    fd0: 'floppy: smaller than any image',
    mmcblk0boot0: 'firmware part of a card',
    nvme0c0n1: 'one path of a multipath disk',
    sdq: 'no medium in it',
  });
});

test('a loop device is taken when it is asked for', () => {
  const reader = sysfsOf({ 'virtual/block/loop0': size, 'virtual/block/loop1': size });
  expect(readBlockDevices('/sys', { reader, also: ['loop1'] }).devices).toMatchObject([{ name: 'loop1' }]);
});

test('drives and card slots are told whose medium can be changed, empty ones too', () => {
  const reader = sysfsOf({
    'pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sr0': { ...size, removable: '1' },
    'pci0000:00/usb2/2-1/2-1:1.0/host6/block/sdb': { size: '0', removable: '1' },
    'pci0000:00/ata2/host1/target1:0:0/1:0:0:0/block/sda': { ...size, removable: '0' },
  });
  const { devices, slots } = readBlockDevices('/sys', { reader });
  expect(slots).toEqual([
    { path: '/dev/sdb', isCd: false },
    { path: '/dev/sr0', isCd: true },
  ]);
  expect(devices.map(({ name }) => name)).toEqual(['sda', 'sr0']);
});

test('the disk that Ventoy makes of an ISO is on the medium of the stick below it', () => {
  const stick = 'pci0000:00/usb2/2-1/2-1:1.0/host6/block/sdb';
  const files = sysfsOf({
    [stick]: { ...size, removable: '1' },
    'virtual/block/dm-0': { ...size, 'dm/name': 'ventoy' },
    'virtual/block/dm-1': { ...size, 'dm/name': 'vg-root' },
  });
  const reader: SysfsReader = {
    ...files,
    list: (path) => (path.endsWith('dm-0/slaves') ? ['sdb'] : files.list(path)),
    resolve: (path) => (path.endsWith('dm-0/slaves/sdb') ? `/sys/devices/${stick}` : files.resolve(path)),
  };
  expect(readBlockDevices('/sys', { reader }).devices).toMatchObject([
    { name: 'dm-0', medium: 'usb', disk: 'dm-0' },
    { name: 'sdb', medium: 'usb' },
  ]);
});

test('a device that goes while it is read, or says nonsense, does no harm', () => {
  const gone: SysfsReader = { list: () => ['sda', 'sdb'], resolve: () => undefined, text: () => undefined };
  expect(readBlockDevices('/sys', { reader: gone })).toEqual({ devices: [], skipped: [], slots: [] });
  const silly = sysfsOf({ 'x/block/sda': { size: '-5' }, 'x/block/sdb': { size: 'many' } });
  expect(readBlockDevices('/sys', { reader: silly }).devices).toEqual([]);
});

test('300 disks are read, in the order of their names', () => {
  const tree = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x/virtio${i}/block/vd${i}`, size]));
  const { devices } = readBlockDevices('/sys', { reader: sysfsOf(tree) });
  expect(devices.map((device) => device.name)).toEqual(Array.from({ length: 300 }, (_, i) => `vd${i}`));
});

test('the devices of the machine that runs the tests are read', () => {
  const { devices, skipped } = readBlockDevices('/sys');
  expect([...devices, ...skipped].every((device) => device.name !== '')).toBe(true);
  for (const device of devices) expect(device.sizeBytes).toBeGreaterThan(0);
});
