import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { probeContent } from '../../../../src/media/content/content.ts';
import type { Geometry } from '../../../../src/media/content/geometry.ts';
import { probeBytes } from '../../../../src/media/content/probe.ts';
import { decodeFileSystem } from '../../../../src/media/file-system.ts';
import { MD_FORMATS, writeMdSuperblock } from '../md-superblock.ts';

/** Real tools make what is looked at, and `blkid -p` is the judge. */

const MIB = 1 << 20;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-members-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(name: string, sizeBytes: number, ...commands: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, sizeBytes);
  for (const command of commands)
    execFileSync('sh', ['-ec', command.replaceAll('FILE', path)], { stdio: ['ignore', 'ignore', 'pipe'] });
  return path;
}

const geometryOf = (path: string, more: Partial<Geometry> = {}): Geometry => ({
  sizeBytes: statSync(path).size,
  sectorBytes: 512,
  isCd: false,
  isAta: true,
  partitions: [],
  ...more,
});

function contentOf(path: string, more: Partial<Geometry> = {}) {
  return probeBytes(probeContent(geometryOf(path, more)), readFileSync(path)).content;
}

function blkidType(path: string): string | undefined {
  const text = execFileSync('blkid', ['-p', '-o', 'export', path], { encoding: 'utf8' });
  return /^TYPE=(.*)$/m.exec(text)?.[1];
}

const EXT4 = 'mkfs.ext4 -q -F FILE';

describe.each(MD_FORMATS)('md %s', (format) => {
  test.each(['mkfs.ext4 -q -F FILE', 'mkfs.vfat FILE', 'mkfs.btrfs -q FILE'])('over %s', (below) => {
    const path = fileWith(`md-${format}-${below.split(' ')[0]}`, 128 * MIB + 37 * 512, below);
    writeMdSuperblock(path, format);
    // 1.1 lies on the boot sector of FAT, which leaves one signature
    expect(blkidType(path)).toBe('linux_raid_member');
    expect(contentOf(path)).toMatchObject({ usable: false, type: 'linux_raid_member', isMember: true });
  });

  test('a superblock that is not whole, or of another place, is none', () => {
    const path = fileWith(`md-bad-${format}`, 16 * MIB, EXT4);
    writeMdSuperblock(path, format);
    truncateSync(path, 15 * MIB); // the ends are elsewhere now
    if (format === '0.90' || format === '1.0') expect(contentOf(path)).toMatchObject({ usable: true, type: 'ext4' });
    else expect(contentOf(path)).toMatchObject({ usable: false });
  });
});

test('the superblock of the last partition, which ends where the disk does, is not the disk’s', () => {
  const path = fileWith('md-last-partition', 16 * MIB, EXT4);
  writeMdSuperblock(path, '0.90');
  const all = [{ offset: 0, length: 16 * MIB }];
  expect(contentOf(path, { partitions: all })).toMatchObject({ usable: true, type: 'ext4' });
  expect(contentOf(path, { partitions: [] })).toMatchObject({ type: 'linux_raid_member' });
});

test('nobody makes a RAID of CDs and floppies', () => {
  const path = fileWith('md-cd', 16 * MIB, EXT4);
  writeMdSuperblock(path, '1.0');
  expect(contentOf(path, { isCd: true })).toMatchObject({ usable: true, type: 'ext4' });
  const floppy = fileWith('floppy', 1440 * 1024, 'mkfs.vfat FILE');
  writeMdSuperblock(floppy, '1.0');
  expect(blkidType(floppy)).toBe('vfat');
  expect(contentOf(floppy)).toMatchObject({ usable: true, type: 'vfat' });
});

/** What real tools leave on an empty device, with the superblock of the ext4 that was there before put back. */
describe.each([
  { type: 'LVM2_member', make: 'pvcreate -qq -ff -y LOOP' },
  { type: 'crypto_LUKS', make: 'cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 FILE KEY' },
  {
    type: 'crypto_LUKS',
    make: 'cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 FILE KEY',
  },
  { type: 'bcache', make: 'make-bcache -B FILE' },
  { type: 'bcache', make: 'make-bcache -C FILE' },
])('$type by $make', ({ type, make }) => {
  test('is told from the ext4 below it', () => {
    const key = join(folder, 'key');
    writeFileSync(key, 'secret');
    const path = fileWith(make.replace(/\W+/g, '-'), 64 * MIB);
    const command = make.replace('KEY', key).replace('FILE', path);
    const onLoop = `loop=$(losetup --find --show ${path}); trap 'losetup -d $loop' EXIT; ${command.replace('LOOP', '$loop')}`;
    execFileSync('sh', ['-ec', command.includes('LOOP') ? onLoop : command], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LVM_SUPPRESS_FD_WARNINGS: '1' },
    });
    expect(blkidType(path)).toBe(type);
    const bytes = readFileSync(path);
    readFileSync(fileWith('before', 64 * MIB, EXT4)).copy(bytes, 1024, 1024, 2048);
    expect(decodeFileSystem(bytes)).toMatchObject({ usable: true, type: 'ext4' });
    expect(probeBytes(probeContent(geometryOf(path)), bytes).content).toMatchObject({ usable: false, type });
  });
});

/** The nvlist of a label as `zpool create` writes it: XDR, name after name. */
function zfsLabel(): Buffer {
  const pair = (name: string, type: number, value: Buffer) => {
    const padded = Buffer.alloc(Math.ceil(name.length / 4) * 4);
    padded.write(name);
    const words = Buffer.alloc(12);
    const size = 12 + padded.length + 8 + value.length;
    [size, size + 16, name.length].forEach((word, i) => void words.writeUInt32BE(word, i * 4));
    const kind = Buffer.alloc(8);
    kind.writeUInt32BE(type);
    kind.writeUInt32BE(1, 4);
    return Buffer.concat([words, padded, kind, value]);
  };
  const number = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return bytes;
  };
  const text = (value: string) => {
    const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
    bytes.writeUInt32BE(value.length);
    bytes.write(value, 4);
    return bytes;
  };
  const header = Buffer.from([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  return Buffer.concat([
    header,
    pair('version', 8, number(5000n)),
    pair('name', 9, text('tank')),
    pair('state', 8, number(0n)),
    pair('txg', 8, number(4n)),
    pair('pool_guid', 8, number(1234567n)),
    pair('guid', 8, number(7654321n)),
    Buffer.alloc(8),
  ]);
}

test('a ZFS vdev is told from the ext4 below it', () => {
  const path = fileWith('zfs', 128 * MIB, EXT4);
  const bytes = readFileSync(path);
  zfsLabel().copy(bytes, 16 * 1024);
  writeFileSync(path, bytes);
  expect(contentOf(path)).toMatchObject({ usable: false, type: 'zfs_member' });
  // blkid of Debian 12 looks at the uberblocks behind the label, and finds two file systems with the ext4
  bytes.fill(0, 0, 16 * 1024);
  bytes.fill(0, 20 * 1024);
  for (let block = 0; block < 8; block++) bytes.writeBigUInt64LE(0xba_b10cn, 128 * 1024 + block * 1024);
  writeFileSync(path, bytes);
  expect(blkidType(path)).toBe('zfs_member');
});

/** Signatures of firmware and controllers at the end of a disk, each as its libblkid test image has it. */
function atEnd(sector: number, write: (bytes: Buffer) => void): (disk: Buffer) => void {
  return (disk) => {
    const bytes = disk.subarray(disk.length - sector * 512, disk.length - sector * 512 + 512);
    bytes.fill(0);
    write(bytes);
  };
}

const FIRMWARE: Readonly<Record<string, (disk: Buffer) => void>> = {
  isw_raid_member: atEnd(2, (bytes) => bytes.write('Intel Raid ISM Cfg Sig. 1.0.00')),
  lsi_mega_raid_member: atEnd(1, (bytes) => bytes.write('$XIDE$')),
  adaptec_raid_member: atEnd(1, (bytes) => {
    bytes.writeUInt32BE(0x37fc_4d1e);
    bytes.write('DPTM', 0x100);
  }),
  hpt45x_raid_member: atEnd(11, (bytes) => bytes.writeUInt32LE(0x5a78_16f3)),
  promise_fasttrack_raid_member: atEnd(911, (bytes) => bytes.write('Promise Technology, Inc.')),
  via_raid_member: atEnd(1, (bytes) => {
    bytes.writeUInt16LE(0xaa55);
    bytes[50] = 0x55 + 0xaa;
  }),
  nvidia_raid_member: atEnd(2, (bytes) => {
    bytes.write('NVIDIA  ');
    bytes.writeUInt32LE(30, 8);
    const sum = [0, 4, 8].reduce((all, at) => all + bytes.readUInt32LE(at), 0);
    bytes.writeInt32LE(-sum | 0, 12);
  }),
  jmicron_raid_member: atEnd(1, (bytes) => {
    bytes.write('JM');
    bytes.writeUInt16LE(0x1_0000 - bytes.readUInt16LE(0), 4);
  }),
  drbd: (disk) => {
    const bytes = disk.subarray(disk.length - 4096);
    bytes.fill(0);
    bytes.writeUInt32BE(0x8374_026d, 60);
    bytes.writeUInt32BE(4096, 80);
  },
};

test.each(Object.keys(FIRMWARE))('%s at the end of a disk is told from the ext4 on it', (type) => {
  const path = fileWith(`end-${type}`, 16 * MIB, EXT4);
  const bytes = readFileSync(path);
  FIRMWARE[type]?.(bytes);
  writeFileSync(path, bytes);
  expect(blkidType(path)).toBe(type);
  expect(contentOf(path)).toMatchObject({ usable: false, type, isMember: true });
});

test('a device that is shorter than it says, or whose end cannot be read, is what its start says', () => {
  const path = fileWith('short', 16 * MIB, EXT4);
  expect(contentOf(path, { sizeBytes: 2 ** 40 })).toMatchObject({ usable: true, type: 'ext4' });
  expect(contentOf(path, { sizeBytes: 0 })).toMatchObject({ usable: true, type: 'ext4' });
});

test('any bytes of any size give an answer, never an error', () => {
  const magics = fc.constantFrom(
    ...['LUKS\xba\xbe\0\x02', 'LABELONE', '\xfc\x4e\x2b\xa9\x01\0\0\0', 'HM\x01', 'UBI#', '\xde\x11\xde\x11', 'hsqs'],
    '\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\0\0\x20\0\0\0\x40\0\0\0\x08',
  );
  const places = fc.constantFrom(0, 512, 1024, 4096, 4640, 16_384, 65_536, -512, -1024, -4096, -8192, -65_536);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 4096 }),
      fc.nat(400_000),
      magics,
      places,
      fc.constantFrom(0, 512, 2048, 4096),
      fc.maxSafeNat(),
      fc.boolean(),
      (noise, length, magic, place, sectorBytes, lies, isLying) => {
        const bytes = Buffer.alloc(length);
        for (let at = 0; at < length; at += noise.length + 1) bytes.set(noise.subarray(0, length - at), at);
        const at = place < 0 ? length + place : place;
        if (at >= 0 && at + magic.length <= length) bytes.write(magic, at, 'latin1');
        const sizeBytes = isLying ? lies : length;
        probeBytes(probeContent({ sizeBytes, sectorBytes, isCd: false, isAta: true, partitions: [] }), bytes);
      },
    ),
    { numRuns: 300 },
  );
});
