import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DETECTION_BYTES } from '../../../src/media/file-system.ts';
import { findDevice, parseDeviceName } from '../../../src/media/find-device.ts';
import { type MediaAccess, readOnlyAccess } from '../../../src/media/media-access.ts';
import { decodePartitionId, PARTITION_TABLE_BYTES } from '../../../src/media/partition-id.ts';
import { device, partition } from './devices.ts';

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
  const access: Pick<MediaAccess, 'readStart'> = {
    readStart: (of, length) => (of === '/dev/sdz' ? new Promise(() => {}) : readOnlyAccess.readStart(of, length)),
  };
  const found = await findDevice(parseDeviceName('LABEL=store'), [device('sdz'), device('sda', { path })], {
    access,
    deviceTimeoutMs: 20,
  });
  expect(found?.device.name).toBe('sda');
});

test.each(['gpt', 'dos'])('the PARTUUID of a %s table is the one sfdisk reports', async (label) => {
  const path = file(`table-${label}`, 'true');
  execFileSync('sfdisk', ['--quiet', path], { input: `label: ${label}\nsize=2MiB\nsize=2MiB\n`, stdio: 'pipe' });
  const start = readFileSync(path).subarray(0, PARTITION_TABLE_BYTES);
  const dump = execFileSync('sfdisk', ['--dump', path], { encoding: 'utf8' });
  const expected =
    label === 'gpt'
      ? [...dump.matchAll(/uuid=([0-9A-F-]+)/g)].map((match) => match[1]?.toLowerCase())
      : [1, 2].map((number) => `${/label-id: 0x([0-9a-f]+)/.exec(dump)?.[1]}-0${number}`);
  expect([1, 2].map((number) => decodePartitionId(start, number))).toEqual(expected);
  const devices = [device('sda', { path }), partition('sda', 1, { path }), partition('sda', 2, { path })];
  expect(await findDevice({ by: 'PARTUUID', value: expected[1] ?? '' }, devices)).toMatchObject({
    device: { name: 'sda2' },
  });
});

test('any bytes give a PARTUUID or none, never an error', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 2048 }),
      fc.integer({ min: -2, max: 300 }),
      fc.boolean(),
      (bytes, number, gpt) => {
        if (gpt && bytes.length > 520) bytes.set(Buffer.from('EFI PART'), 512);
        const id = decodePartitionId(bytes, number);
        if (id !== undefined) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f-]+$/);
      },
    ),
  );
  expect(decodePartitionId(new Uint8Array(DETECTION_BYTES), 1)).toBeUndefined();
});
