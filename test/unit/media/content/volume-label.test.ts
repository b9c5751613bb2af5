import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { probeBytes } from '../../../../src/media/content/probe.ts';
import { volumeLabel } from '../../../../src/media/content/volume-label.ts';
import { DETECTION_BYTES } from '../../../../src/media/file-system.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-label-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function made(name: string, sizeMiB: number, ...commands: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, sizeMiB << 20);
  for (const command of commands)
    execFileSync('sh', ['-ec', command.replaceAll('FILE', path)], { stdio: ['ignore', 'ignore', 'pipe'] });
  return path;
}

function labelOf(bytes: Uint8Array): string | undefined {
  return probeBytes(volumeLabel(bytes.subarray(0, DETECTION_BYTES)), bytes);
}

/** blkid writes what is not ASCII, and blanks, in its own way. */
function blkidLabel(path: string): string | undefined {
  const text = execFileSync('blkid', ['-p', '-o', 'value', '-s', 'LABEL', path], { encoding: 'utf8' });
  return text.replace(/\n$/, '') || undefined;
}

test.each([12, 16, 32])(
  'FAT%i: the root directory’s entry comes before the boot sector, in the case it has',
  (bits) => {
    const path = made(`fat-${bits}`, bits === 12 ? 4 : 48, `mkfs.vfat -F ${bits} -n "Old name" FILE`);
    expect(labelOf(readFileSync(path))).toBe('Old name');
    execFileSync('mlabel', ['-i', path, '::In the root'], { stdio: 'pipe' });
    expect(labelOf(readFileSync(path))).toBe(blkidLabel(path));
    execFileSync('mlabel', ['-c', '-i', path, '::'], { stdio: 'pipe' });
  },
);

test('NO NAME in the boot sector is none, as the entry of the root directory it is a name', () => {
  const none = made('none', 48, 'mkfs.vfat -F 32 FILE');
  expect(readFileSync(none).toString('latin1', 71, 82)).toBe('NO NAME    ');
  expect(labelOf(readFileSync(none))).toBeUndefined();
  expect(blkidLabel(none)).toBeUndefined();
  const named = made('named', 48, 'mkfs.vfat -F 32 -n first FILE');
  const bytes = readFileSync(named);
  const entry = bytes.indexOf('first      ', 4096);
  bytes.write('NO NAME    ', entry);
  writeFileSync(named, bytes);
  expect(labelOf(bytes)).toBe('NO NAME');
  expect(blkidLabel(named)).toBe('NO NAME');
});

test('a label in a later cluster of the root directory is found, and a chain that is a circle ends', () => {
  const path = made('long', 48, 'mkfs.vfat -F 32 -s 1 FILE');
  const bytes = readFileSync(path);
  const fat = bytes.readUInt16LE(14) * 512;
  const data = fat + bytes.readUInt8(16) * bytes.readUInt32LE(36) * 512;
  // the root is cluster 2; deleted entries fill it, and the label is in cluster 5
  for (let at = 0; at < 512; at += 32) bytes[data + at] = 0xe5;
  bytes.writeUInt32LE(5, fat + 2 * 4);
  bytes.write('FURTHER ON ', data + 3 * 512);
  bytes[data + 3 * 512 + 11] = 0x08;
  expect(labelOf(bytes)).toBe('FURTHER ON');
  bytes[data + 3 * 512] = 0xe5;
  for (let at = 0; at < 512; at += 32) bytes[data + 3 * 512 + at] = 0xe5;
  bytes.writeUInt32LE(2, fat + 5 * 4);
  expect(labelOf(bytes)).toBeUndefined();
});

test('exFAT, NTFS and Joliet say their labels in UTF-16', () => {
  expect(labelOf(readFileSync(made('exfat', 32, 'mkfs.exfat -L "Größe 1" FILE')))).toBe('Größe 1');
  expect(labelOf(readFileSync(made('ntfs', 32, 'mkfs.ntfs -q -F -L "Größe 2" FILE')))).toBe('Größe 2');
  expect(labelOf(readFileSync(made('plain', 32, 'mkfs.exfat FILE')))).toBeUndefined();
  const iso = made(
    'iso',
    1,
    `rm FILE && xorriso -as mkisofs -quiet -J -V Live_Medium_2026 -o FILE ${import.meta.dirname}`,
  );
  expect(labelOf(readFileSync(iso))).toBe('Live_Medium_2026');
  expect(blkidLabel(iso)).toBe('Live_Medium_2026');
});

test('any bytes give a label or none, never an error', () => {
  const starts = [
    readFileSync(made('r1', 32, 'mkfs.exfat -L x FILE')),
    readFileSync(made('r2', 32, 'mkfs.ntfs -q -F -L x FILE')),
    readFileSync(made('r3', 48, 'mkfs.vfat -F 32 -n x FILE')),
    readFileSync(made('r4', 4, 'mkfs.vfat -F 12 -n x FILE')),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...starts),
      fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 8 }),
      fc.nat(1 << 20),
      (start, changes, length) => {
        const bytes = Uint8Array.from(start.subarray(0, length));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        labelOf(bytes);
      },
    ),
    { numRuns: 150 },
  );
});
