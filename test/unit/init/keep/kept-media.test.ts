import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BootFailure } from '../../../../src/init/failing/failure.ts';
import { keepFailure, readChoice, takeChoice } from '../../../../src/init/keep/choice.ts';
import { keptFirst, keptPartitions } from '../../../../src/init/keep/kept-media.ts';
import type { BlockDevice } from '../../../../src/media/block-devices.ts';
import type { RankedCandidate } from '../../../../src/media/choose.ts';
import type { MediumFile } from '../../../../src/media/media-access.ts';
import { encodeMark } from '../../../../src/root/keep/mark.ts';
import { device, partition } from '../../media/devices.ts';

/** Media by what their devices begin with, and by the names in `/viver`. */
function media(starts: Readonly<Record<string, Uint8Array>>, names: Readonly<Record<string, readonly string[]>> = {}) {
  return {
    async open(path: string): Promise<MediumFile> {
      const start = starts[path] ?? new Uint8Array(0);
      return {
        read: async ({ offset, length }) => start.subarray(offset, offset + length),
        [Symbol.asyncDispose]: async () => {},
      };
    },
    list: async (directory: string) => names[directory] ?? [],
  };
}

const on = (medium: BlockDevice): RankedCandidate => ({
  candidate: {
    name: 'debian',
    device: medium,
    fileSystem: 'iso9660',
    mountpoint: `/m/${medium.name}`,
    path: `/m/${medium.name}/viver/debian.sqfs`,
    squashfs: { sizeBytes: 1, madeSeconds: 0, superblock: '' },
  },
  reason: '',
  bytesPerSecond: 0,
});

const MARK = encodeMark({ sizeBytes: 512 });
const DEVICES = [device('sda'), partition('sda', 1), partition('sda', 3), device('sdb'), partition('sdb', 1)];
const [, fast, , , slow] = DEVICES as [BlockDevice, BlockDevice, BlockDevice, BlockDevice, BlockDevice];
const disksOf = (ranked: readonly RankedCandidate[]) => ranked.map(({ candidate }) => candidate.device.disk);

describe('with viver.cow=keep', () => {
  test('a partition counts by its mark, whatever its file system is', async () => {
    const found = await keptPartitions(DEVICES, media({ '/dev/sda3': MARK, '/dev/sda': MARK }));
    expect(found.map(({ path }) => path)).toEqual(['/dev/sda3']);
  });

  test('a medium with kept changes comes before a faster one', async () => {
    const ranked = [on(fast), on(slow)];
    expect(disksOf(await keptFirst(ranked, DEVICES, media({})))).toEqual(['sda', 'sdb']);
    const kept = media({}, { '/m/sdb1/viver': ['debian.sqfs', 'keep.ext4'] });
    expect(disksOf(await keptFirst(ranked, DEVICES, kept))).toEqual(['sdb', 'sda']);
  });

  test('of two media with kept changes none is guessed, and both are named', async () => {
    const both = media({ '/dev/sda3': MARK }, { '/m/sdb1/viver': ['keep.ext4'] });
    const failure = keptFirst([on(fast), on(slow)], DEVICES, both);
    await expect(failure).rejects.toThrow(/hold kept changes: \/dev\/sda3, \/viver\/keep.ext4 on \/dev\/sdb1/);
    await expect(failure).rejects.toBeInstanceOf(BootFailure);
  });
});

describe('the choice of a person', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'viver-choice-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('holds for one try', () => {
    const file = join(folder, 'keep');
    expect(takeChoice(file)).toBeUndefined();
    writeFileSync(file, 'repair\n');
    expect(readChoice(file)).toBe('repair');
    expect(takeChoice(file)).toBe('repair');
    expect(takeChoice(file)).toBeUndefined();
    writeFileSync(file, 'constructor\n');
    expect(takeChoice(file)).toBeUndefined();
  });

  test('is offered with what it does, and how to say it', () => {
    const { message, tryThis } = keepFailure('it is full', { choices: ['full', 'ram'] });
    expect(message).toBe('viver.cow=keep: it is full');
    expect(tryThis.map((line) => line.slice(0, 12))).toEqual([`'keep full',`, `'keep ram', `]);
  });
});
