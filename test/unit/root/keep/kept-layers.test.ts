import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { judgeFsck, makeExt4 } from '../../../../src/root/keep/ext4-tools.ts';
import { giveReserve, isFull, openLayers, takeReserve } from '../../../../src/root/keep/kept-layers.ts';
import { overlayData } from '../../../../src/root/union.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-keep-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const image = { name: 'debian', id: 'a1b2c3d4e5f6a7b8', superblock: 'ffee' };

test('changes go with the name of the image, and another version below is told once', () => {
  expect(openLayers(folder, image)).toEqual({
    upper: join(folder, 'viver/keep/debian/upper'),
    work: join(folder, 'viver/keep/debian/work'),
    isNew: true,
    madeOver: undefined,
  });
  expect(openLayers(folder, image)).toMatchObject({ isNew: false, madeOver: undefined });
  const newer = { ...image, id: '0123456789abcdef' };
  expect(openLayers(folder, newer)).toMatchObject({ isNew: false, madeOver: 'a1b2c3d4e5f6' });
  expect(openLayers(folder, newer)).toMatchObject({ madeOver: undefined });
  expect(openLayers(folder, { ...image, name: 'other' })).toMatchObject({ isNew: true });
});

test('a power cut while the version is noted leaves the one before or the new one', () => {
  openLayers(folder, image);
  writeFileSync(join(folder, 'viver/keep/debian/below.new'), '');
  expect(openLayers(folder, image)).toMatchObject({ madeOver: undefined });
});

test('full is told before the system is started', () => {
  const room = { bytes: 2 ** 30, totalBytes: 2 ** 31, inodes: 100_000 };
  expect(isFull(room)).toBeUndefined();
  expect(isFull({ ...room, bytes: 5 * 2 ** 20 })).toBe('5 MiB of 2048 MiB are free');
  expect(isFull({ ...room, inodes: 3 })).toBe('there is room for 3 more files');
});

test('a reserve is taken once, and given back', async () => {
  const reserve = join(folder, 'viver/reserve');
  expect(await takeReserve(folder)).toBe(true);
  expect(statSync(reserve).blocks * 512).toBeGreaterThanOrEqual(4 * 2 ** 20);
  expect(await takeReserve(folder)).toBe(true);
  giveReserve(folder);
  expect(existsSync(reserve)).toBe(false);
  giveReserve(folder);
});

test.each([
  [0, true],
  [1, true],
  [2, true],
  [3, true],
  [4, false],
  [5, false],
  [8, false],
  [12, false],
  [undefined, false],
])('e2fsck ending with %s: sound is %s', (status, sound) => {
  expect(judgeFsck({ status, lines: ['a', 'b'] }).sound).toBe(sound);
});

test('mke2fs that fails is told with its last words', async () => {
  const run = async () => ({ status: 1, lines: ['mke2fs 1.47', 'Device size reported to be zero.'] });
  await expect(makeExt4('/dev/loop0', run)).rejects.toThrow('mke2fs /dev/loop0: mke2fs 1.47 Device size reported');
});

test('an upper layer that outlives its image holds no path into it', () => {
  const layers = { upper: '/c/upper', work: '/c/work' };
  expect(overlayData('/lower', layers)).toContain('redirect_dir=on');
  expect(overlayData('/lower', { ...layers, outlivesImage: true })).toContain('redirect_dir=off');
});
