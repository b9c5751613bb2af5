import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MountRequest } from '../../../src/linux/mount.ts';
import { cowKey, cowModules, mountDeviceCow, mountRamCow, planDeviceCow, planRamCow } from '../../../src/root/cow.ts';
import type { Mounter } from '../../../src/root/mounter.ts';

const GIB = 2 ** 30;
const image = { name: 'debian', id: 'a1b2c3d4e5f6a7b8', superblock: 'ffeeddccbbaa9988' };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-cow-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function recorder(fail?: Error): { readonly system: Mounter; readonly requests: MountRequest[] } {
  const requests: MountRequest[] = [];
  const mount = (request: MountRequest) => {
    requests.push(request);
    if (fail !== undefined) throw fail;
  };
  return { requests, system: { mount, umount: () => {} } };
}

test('writes in RAM get half of it, and an inode for each 16 KiB', () => {
  expect(planRamCow(4 * GIB)).toEqual({ data: `size=${2 * GIB},nr_inodes=131072,mode=0755`, sizeBytes: 2 * GIB });
});

test('a machine of little memory still gets inodes enough', () => {
  expect(planRamCow(GIB / 4).data).toContain('nr_inodes=65536');
});

test('the upper layer in RAM is a tmpfs with the two directories overlayfs wants', () => {
  const { system, requests } = recorder();
  const cow = mountRamCow(join(folder, 'cow'), system);
  expect(requests).toMatchObject([{ type: 'tmpfs', target: join(folder, 'cow') }]);
  expect(cow).toMatchObject({ kind: 'ram', upper: join(folder, 'cow/upper'), work: join(folder, 'cow/work') });
  expect(cow.note).toMatch(/^writes go to RAM, up to \d+ MiB/);
});

test.each([
  ['vfat', /is vfat, which knows neither owners and permissions .* use one of ext2, ext3, ext4, xfs, btrfs/],
  ['exfat', /is exfat, which knows neither/],
  ['ntfs', /is ntfs, which knows neither/],
  ['iso9660', /cannot be written to/],
  ['LUKS', /is nothing files can be written to/],
  [undefined, /has no file system; make one by mkfs.ext4/],
])('a device with %s cannot hold writes, and the error says why', (type, message) => {
  expect(() => planDeviceCow({ path: '/dev/sda1', type })).toThrow(message);
});

test.each([
  ['ext2', 'ext4'],
  ['ext3', 'ext4'],
  ['ext4', 'ext4'],
  ['xfs', 'xfs'],
  ['btrfs', 'btrfs'],
])('%s is mounted by the %s driver', (type, driver) => {
  expect(cowModules({ path: '/dev/sda1', type })).toEqual([driver]);
});

test('writes on a disk are kept per image: by its id, without one by its superblock', () => {
  expect(cowKey(image)).toBe('debian-a1b2c3d4e5f6');
  expect(cowKey({ ...image, id: undefined })).toBe('debian-ffeeddccbbaa');
});

test('the same image finds what it wrote, a rebuilt one of the same name begins anew', () => {
  const { system } = recorder();
  const device = { path: '/dev/sda3', type: 'ext4' };
  const first = mountDeviceCow(device, image, folder, system);
  expect(first).toMatchObject({ kind: '/dev/sda3', upper: join(folder, 'viver/cow/debian-a1b2c3d4e5f6/upper') });
  expect(first.note).toBe('debian-a1b2c3d4e5f6 on /dev/sda3 begins anew');
  mkdirSync(join(first.upper, 'etc'));

  const again = mountDeviceCow(device, image, folder, system);
  expect(again.note).toBe('debian-a1b2c3d4e5f6 on /dev/sda3 continues with what was written before');

  const rebuilt = mountDeviceCow(device, { ...image, id: '0123456789abcdef' }, folder, system);
  expect(rebuilt.upper).not.toBe(first.upper);
  expect(rebuilt.note).toBe('debian-0123456789ab on /dev/sda3 begins anew; kept for other images: debian-a1b2c3d4e5f6');
});

test('a disk that cannot be mounted is an error, never RAM instead', () => {
  const { system } = recorder(new Error('mount /dev/sda3 on /cow: EIO'));
  expect(() => mountDeviceCow({ path: '/dev/sda3', type: 'ext4' }, image, folder, system)).toThrow('EIO');
});
