import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attachLoop } from '../../../../src/linux/block/loop.ts';
import { encodeMark } from '../../../../src/root/keep/mark.ts';
import { smallImage } from '../iso/small-images.ts';
import { viver } from '../run-viver.ts';

const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'viver-stick-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

let one = '';
let newer = '';
beforeAll(() => {
  one = smallImage(folder, 'one');
  newer = smallImage(folder, 'newer', 3, 5 * MIB);
});

/** A file in place of a disk, with noise of its former life. */
function blank(name: string, sizeMib: number): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(MIB, 'former'));
  truncateSync(path, sizeMib * MIB);
  return path;
}

function bytesAt(path: string, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(openSync(path, 'r'), bytes, 0, length, offset);
  return bytes;
}

function writeAt(path: string, offset: number, bytes: Uint8Array): void {
  writeSync(openSync(path, 'r+'), bytes, 0, bytes.length, offset);
}

interface Row {
  readonly start: number;
  readonly size: number;
  readonly type: string;
}
const table = (path: string): readonly Row[] =>
  JSON.parse(execFileSync('sfdisk', ['--json', path], { encoding: 'utf8' })).partitiontable.partitions;

test('a file becomes what dd of the ISO makes it', async () => {
  const path = blank('stick.img', 64);
  const result = await viver('stick', one, path, '--yes');
  expect(result).toMatchObject({ code: 0, stdout: `${path}: boots one\n` });
  expect(result.stderr).toContain('all that is on it is lost');
  const iso = join(folder, 'one.iso');
  await viver('iso', one, '-o', iso);
  const expected = readFileSync(iso);
  expect(bytesAt(path, 0, expected.length).equals(expected)).toBe(true);
});

test('a second call updates the images and keeps the changes, in the table too', async () => {
  const path = blank('kept.img', 512);
  await viver('stick', one, path, '--yes');
  // As the first boot with viver.cow=keep makes it (src/init/keep/keep-partition.ts).
  writeAt(path, 256 * MIB, encodeMark({ sizeBytes: 100 * MIB }));
  writeAt(path, 300 * MIB, Buffer.from('what was kept'));
  const before = bytesAt(path, 256 * MIB, 100 * MIB);
  const result = await viver('stick', one, newer, path, '--yes');
  expect(result).toMatchObject({ code: 0, stdout: `${path}: boots one, newer\n` });
  expect(result.stderr).toContain('partition 3 behind the image (100 MiB) stays');
  expect(bytesAt(path, 256 * MIB, 100 * MIB).equals(before)).toBe(true);
  const rows = table(path);
  expect(rows).toHaveLength(3);
  expect(rows[2]).toMatchObject({ start: 512 * 1024, size: 100 * 2048, type: '83' });
  await viver('stick', newer, path, '--yes');
  expect(table(path)[2]).toMatchObject({ start: 512 * 1024, size: 100 * 2048 });
  const anew = await viver('stick', newer, path, '--yes', '--new');
  expect(anew.stderr).toContain('no changes are kept on it');
  expect(table(path)).toHaveLength(2);
  expect(bytesAt(path, 256 * MIB, 512).equals(Buffer.alloc(512))).toBe(true);
});

test('a loop device is written as a disk is, and refused while something uses it', async () => {
  const file = blank('loop.img', 64);
  using loop = attachLoop({ file, readOnly: false });
  const fixed = await viver('stick', one, loop.path, '--yes');
  expect(fixed).toMatchObject({ code: 1 });
  expect(fixed.stderr).toMatch(/cannot be taken out \(virtual\): --any-disk takes it all the same\n$/);
  const result = await viver('stick', one, loop.path, '--yes', '--any-disk');
  expect(result).toMatchObject({ code: 0 });
  expect(table(file)).toHaveLength(2);
  const mountpoint = mkdtempSync(join(folder, 'mount-'));
  execFileSync('mke2fs', ['-q', '-F', loop.path]);
  execFileSync('mount', ['-t', 'ext4', '-o', 'ro', loop.path, mountpoint]);
  try {
    const used = await viver('stick', one, loop.path, '--yes', '--any-disk');
    expect(used.code).toBe(1);
    expect(used.stderr).toBe(`viver stick: ${loop.path} is in use (${loop.path} on ${mountpoint}): unmount it first\n`);
  } finally {
    execFileSync('umount', [mountpoint]);
  }
  loop.detach();
});

test('nothing is written without a yes, to what is too small, or to what is no disk', async () => {
  const small = blank('small.img', 2);
  const path = blank('asked.img', 64);
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [[one, small, '--yes'], 1, /small\.img: too small: it has 2 MiB/],
    [[one, path], 1, /asked\.img is not written to: nobody can be asked here; --yes says yes\n$/],
    [[one, join(folder, 'missing'), '--yes'], 1, /there is no such disk; .*truncate/],
    [[one, folder, '--yes'], 1, /is neither a disk nor a file/],
    [[one, '/dev/null', '--yes'], 1, /is neither a disk nor a file/],
    [[path], 2, /IMAGE and DEVICE are wanted/],
  ];
  for (const [words, code, line] of cases) {
    const result = await viver('stick', ...words);
    expect(result.code, words.join(' ')).toBe(code);
    expect(result.stderr).toMatch(line);
  }
  for (const untouched of [small, path]) {
    expect(bytesAt(untouched, 0, 6).toString()).toBe('former');
  }
});

test('a forgotten disk costs no image, nor a file that a loop device has open', async () => {
  const before = readFileSync(newer);
  const forgotten = await viver('stick', one, newer, '--yes');
  expect(forgotten).toMatchObject({ code: 1, stderr: expect.stringContaining('is an image itself') });
  expect(readFileSync(newer).equals(before)).toBe(true);
  const path = blank('attached.img', 64);
  const loop = execFileSync('losetup', ['-f', '--show', path], { encoding: 'utf8' }).trim();
  try {
    const used = await viver('stick', one, path, '--yes');
    expect(used).toMatchObject({
      code: 1,
      stderr: `viver stick: ${path} is in use (${loop}): detach it first, or name ${loop}\n`,
    });
  } finally {
    execFileSync('losetup', ['-d', loop]);
  }
});
