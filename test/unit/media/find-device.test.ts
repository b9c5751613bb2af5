import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findDevice, parseDeviceName } from '../../../src/media/find-device.ts';
import { type MediaAccess, readOnlyAccess } from '../../../src/media/media-access.ts';
import { device } from './devices.ts';
import { writeMdSuperblock } from './md-superblock.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-find-device-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, ...command: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, 8 * 1024 * 1024);
  const [program = '', ...args] = command;
  execFileSync(program, [...args, path], { stdio: 'pipe' });
  return path;
}

test.each([
  ['/dev/sda2', { by: 'path', value: '/dev/sda2' }],
  ['sda2', { by: 'path', value: '/dev/sda2' }],
  ['LABEL=my data', { by: 'LABEL', value: 'my data' }],
  ['UUID=1-2', { by: 'UUID', value: '1-2' }],
  ['/dev/disk/by-label/my\\x20data', { by: 'LABEL', value: 'my data' }],
  ['/dev/disk/by-label/caf\\xc3\\xa9%41', { by: 'LABEL', value: 'café%41' }],
  ['/dev/disk/by-uuid/1-2', { by: 'UUID', value: '1-2' }],
  ['/dev/disk/by-partuuid/1-2', { by: 'PARTUUID', value: '1-2' }],
  ['PARTUUID=x', { by: 'PARTUUID', value: 'x' }],
])('%s is a name of a device', (text, name) => {
  expect(parseDeviceName(text)).toEqual(name);
});

test.each(['', 'LABEL=', 'ID=3', '/dev/', 'a b'])('%j names no device', (text) => {
  expect(() => parseDeviceName(text)).toThrow(/names no device/);
});

test('a device is found by path, label and UUID, with what is on it', async () => {
  const uuid = '8f0d2d3c-7a52-4c55-9f0e-1c2d3e4f5061';
  const devices = [
    device('sda', { path: file('a', 'mkfs.ext4', '-q', '-L', 'store', '-U', uuid) }),
    device('sdb', { path: file('b', 'mkfs.ext4', '-q', '-L', 'other') }),
    device('sdc', { path: join(folder, 'absent') }),
  ];
  for (const name of ['LABEL=store', `UUID=${uuid}`, `UUID=${uuid.toUpperCase()}`]) {
    const found = await findDevice(parseDeviceName(name), devices);
    expect(found).toMatchObject({ device: { name: 'sda' }, content: { type: 'ext4', label: 'store' } });
  }
  expect(await findDevice({ by: 'path', value: join(folder, 'b') }, devices)).toMatchObject({
    device: { name: 'sdb' },
  });
  expect(await findDevice(parseDeviceName('LABEL=none'), devices)).toBeUndefined();
});

test('a name that fits two disks is refused with both named', async () => {
  const make = (name: string) => file(name, 'mkfs.ext4', '-q', '-L', 'twin');
  const devices = [device('sda', { path: make('t1') }), device('sdb', { path: make('t2') })];
  await expect(findDevice(parseDeviceName('LABEL=twin'), devices)).rejects.toThrow(
    `LABEL=twin fits several devices: ${devices[0]?.path}, ${devices[1]?.path}; name one by its UUID or path`,
  );
});

test('a disk that hangs hides no other', async () => {
  const path = file('h', 'mkfs.ext4', '-q', '-L', 'store');
  const access: Pick<MediaAccess, 'open'> = {
    open: (of) => (of === '/dev/sdz' ? new Promise(() => {}) : readOnlyAccess.open(of)),
  };
  const found = await findDevice(parseDeviceName('LABEL=store'), [device('sdz'), device('sda', { path })], {
    access,
    deviceTimeoutMs: 1000,
  });
  expect(found?.device.name).toBe('sda');
});

test('labels of exFAT, NTFS and FAT are found where they are kept', async () => {
  const devices = [
    device('sda', { path: file('exfat', 'mkfs.exfat', '-L', 'Grüße') }),
    device('sdb', { path: file('ntfs', 'mkfs.ntfs', '-q', '-F', '-L', 'Größe 2') }),
    device('sdc', { path: file('fat', 'mkfs.vfat', '-n', 'boot') }),
  ];
  execFileSync('mlabel', ['-i', devices[2]?.path ?? '', '::in root'], { stdio: 'pipe' });
  const nameOf = async (label: string) => (await findDevice({ by: 'LABEL', value: label }, devices))?.device.name;
  expect(await nameOf('Grüße')).toBe('sda');
  expect(await nameOf('Größe 2')).toBe('sdb');
  expect(await nameOf('IN ROOT')).toBe('sdc');
});

test('a member of a RAID has the name of none of the file systems in it', async () => {
  const path = file('member', 'mkfs.ext4', '-q', '-L', 'store');
  writeMdSuperblock(path, '1.0');
  expect(
    await findDevice(parseDeviceName('LABEL=store'), [device('sda', { path, sizeBytes: 8 << 20 })]),
  ).toBeUndefined();
});
