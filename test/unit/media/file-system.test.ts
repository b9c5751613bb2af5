import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DETECTION_BYTES, decodeFileSystem } from '../../../src/media/file-system.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-file-system-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const MIB = 1024 * 1024;
const UUID = '8f0d2d3c-7a52-4c55-9f0e-1c2d3e4f5061';

interface Maker {
  readonly name: string;
  readonly sizeBytes: number;
  /** Command line; FILE stands for the image file. */
  readonly command: string;
  /** blkid's name of it, and ours when it differs. */
  readonly type: string;
  readonly label?: string;
}

const MAKERS: readonly Maker[] = [
  { name: 'ext2', type: 'ext2', sizeBytes: 8 * MIB, command: `mkfs.ext2 -q -L ours -U ${UUID} FILE`, label: 'ours' },
  { name: 'ext3', type: 'ext3', sizeBytes: 32 * MIB, command: `mkfs.ext3 -q -L ours -U ${UUID} FILE`, label: 'ours' },
  { name: 'ext4', type: 'ext4', sizeBytes: 32 * MIB, command: `mkfs.ext4 -q -L ours -U ${UUID} FILE`, label: 'ours' },
  { name: 'ext4 of 4 KiB blocks', type: 'ext4', sizeBytes: 64 * MIB, command: 'mkfs.ext4 -q -b 4096 -O 64bit FILE' },
  { name: 'ext4 without a journal', type: 'ext4', sizeBytes: 8 * MIB, command: 'mkfs.ext4 -q -O ^has_journal FILE' },
  {
    name: 'xfs',
    type: 'xfs',
    sizeBytes: 320 * MIB,
    command: `mkfs.xfs -q -L ours -m uuid=${UUID} FILE`,
    label: 'ours',
  },
  {
    name: 'btrfs',
    type: 'btrfs',
    sizeBytes: 128 * MIB,
    command: `mkfs.btrfs -q -L ours -U ${UUID} FILE`,
    label: 'ours',
  },
  {
    name: 'FAT12',
    type: 'vfat',
    sizeBytes: 2 * MIB,
    command: 'mkfs.vfat -F 12 -n OURS -i 1a2b3c4d FILE',
    label: 'OURS',
  },
  {
    name: 'FAT16',
    type: 'vfat',
    sizeBytes: 32 * MIB,
    command: 'mkfs.vfat -F 16 -n OURS -i 0000000d FILE',
    label: 'OURS',
  },
  {
    name: 'FAT32',
    type: 'vfat',
    sizeBytes: 64 * MIB,
    command: 'mkfs.vfat -F 32 -n OURS -i 1a2b3c4d FILE',
    label: 'OURS',
  },
  { name: 'FAT32 without a label', type: 'vfat', sizeBytes: 64 * MIB, command: 'mkfs.vfat -F 32 FILE' },
  { name: 'exFAT', type: 'exfat', sizeBytes: 32 * MIB, command: 'mkfs.exfat FILE' },
  { name: 'NTFS', type: 'ntfs', sizeBytes: 32 * MIB, command: 'mkfs.ntfs -q -F FILE' },
  { name: 'swap', type: 'swap', sizeBytes: 4 * MIB, command: 'mkswap -q FILE' },
];

function make(maker: Maker): string {
  const file = join(folder, maker.name.replaceAll(' ', '-'));
  writeFileSync(file, '');
  truncateSync(file, maker.sizeBytes);
  const [program = '', ...args] = maker.command.split(' ').map((word) => (word === 'FILE' ? file : word));
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  return file;
}

function startOf(file: string): Uint8Array {
  const bytes = new Uint8Array(DETECTION_BYTES);
  const descriptor = openSync(file, 'r');
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** What blkid says, by a fresh probe. */
function blkid(file: string): Record<string, string> {
  const text = execFileSync('blkid', ['-p', '-o', 'export', file], { encoding: 'utf8' });
  return Object.fromEntries(text.split('\n').map((line) => line.split(/=(.*)/).slice(0, 2)));
}

function expectAsBlkid(file: string): void {
  const judge = blkid(file);
  const content = decodeFileSystem(startOf(file));
  expect(content).toMatchObject({
    usable: true,
    type: judge.TYPE,
    ...(judge.UUID === undefined ? {} : { uuid: judge.UUID }),
  });
  if (content?.usable === true && judge.TYPE !== 'ntfs') expect(content.label).toBe(judge.LABEL);
}

describe.each(MAKERS)('$name', (maker) => {
  let file: string;
  beforeAll(() => {
    file = make(maker);
  });

  test('is named as blkid names it', () => {
    expect(blkid(file).TYPE).toBe(maker.type);
    if (maker.type !== 'swap') expectAsBlkid(file);
    else expect(decodeFileSystem(startOf(file))).toMatchObject({ usable: false, type: 'swap' });
  });

  test('needs no more than the device, and nearly all of it', () => {
    const content = decodeFileSystem(startOf(file));
    if (content?.usable !== true) return;
    expect(content.sizeBytes).toBeLessThanOrEqual(maker.sizeBytes);
    expect(content.sizeBytes).toBeGreaterThan(maker.sizeBytes * 0.95);
  });

  test('gives an answer and no error when cut short at any byte or hit by flipped bits', () => {
    const start = startOf(file);
    fc.assert(
      fc.property(fc.nat(start.length), fc.nat(start.length - 1), fc.nat(255), (length, position, value) => {
        const broken = Uint8Array.from(start);
        broken[position] = value;
        decodeFileSystem(broken.subarray(0, length));
      }),
      { numRuns: 200 },
    );
  });
});

test('an ISO is named as blkid names it, hybrid or not', () => {
  const tree = join(folder, 'tree');
  execFileSync('mkdir', ['-p', tree]);
  writeFileSync(join(tree, 'file'), Buffer.alloc(MIB));
  const file = join(folder, 'plain.iso');
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-r', '-J', '-V', 'VIVER', '-o', file, tree], { stdio: 'pipe' });
  expectAsBlkid(file);
  const content = decodeFileSystem(startOf(file));
  expect(content).toMatchObject({ type: 'iso9660', label: 'VIVER' });
  if (content?.usable === true) expect(content.sizeBytes).toBeLessThanOrEqual(statSync(file).size);
  const hybrid = join(folder, 'hybrid.iso');
  const offset = ['-partition_offset', '16'];
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-r', '-V', 'VIVER', ...offset, '-o', hybrid, tree], {
    stdio: 'pipe',
  });
  expect(decodeFileSystem(startOf(hybrid))).toMatchObject({ type: 'iso9660', label: 'VIVER' });
});

test('a squashfs is told by its superblock, with the size it has', () => {
  const file = join(folder, 'image.sqfs');
  execFileSync('mksquashfs', [import.meta.dirname, file, '-quiet', '-no-progress'], { stdio: 'pipe' });
  const bytesUsed = Number(readFileSync(file).readBigUInt64LE(40));
  expect(blkid(file).TYPE).toBe('squashfs');
  expect(decodeFileSystem(startOf(file))).toEqual({ usable: true, type: 'squashfs', sizeBytes: bytesUsed });
});

test('f2fs is named and not usable', () => {
  const bytes = new Uint8Array(DETECTION_BYTES);
  bytes.set(Buffer.from('\x10\x20\xf5\xf2', 'latin1'), 1024);
  expect(decodeFileSystem(bytes)).toMatchObject({ usable: false, type: 'f2fs' });
});

test('nothing known is undefined: zeros, no bytes, a bare partition table', () => {
  expect(decodeFileSystem(new Uint8Array(0))).toBeUndefined();
  expect(decodeFileSystem(new Uint8Array(DETECTION_BYTES))).toBeUndefined();
  const table = new Uint8Array(DETECTION_BYTES);
  table.set([0x55, 0xaa], 510);
  table.set(Buffer.from('EFI PART'), 512);
  expect(decodeFileSystem(table)).toBeUndefined();
});

test('any bytes give an answer, never an error', () => {
  const sizes = fc.uint8Array({ maxLength: 8192 });
  const magics = fc.constantFrom('hsqs', 'XFSB', 'LUKS\xba\xbe', '\xeb<\x90EXFAT   ', '\xeb<\x90NTFS    ', '');
  fc.assert(
    fc.property(sizes, magics, (bytes, magic) => {
      const start = new Uint8Array(Math.max(bytes.length, magic.length));
      start.set(bytes);
      start.set(Buffer.from(magic, 'latin1'));
      const content = decodeFileSystem(start);
      if (content?.usable === true && content.sizeBytes !== undefined)
        expect(content.sizeBytes).toBeGreaterThanOrEqual(0);
    }),
  );
});

test('sizes beyond 2^53-1 are unknown, not wrong', () => {
  const bytes = new Uint8Array(DETECTION_BYTES);
  bytes.set(Buffer.from('hsqs'));
  const view = new DataView(bytes.buffer);
  view.setUint16(28, 4, true);
  view.setBigUint64(40, 2n ** 63n, true);
  expect(decodeFileSystem(bytes)).toEqual({ usable: true, type: 'squashfs', sizeBytes: undefined });
});
