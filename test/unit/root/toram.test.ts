import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MountRequest } from '../../../src/linux/mount.ts';
import { type CopyProgress, checkMemoryFor, copyToRam, parseMemAvailable } from '../../../src/root/toram.ts';

const MIB = 2 ** 20;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-toram-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function fake() {
  const mounts: MountRequest[] = [];
  const unmounted: string[] = [];
  return {
    mounts,
    unmounted,
    system: {
      mount: (request: MountRequest) => void mounts.push(request),
      umount: (target: string) => void unmounted.push(target),
    },
  };
}

function request(bytes: Uint8Array) {
  const source = join(folder, 'medium.sqfs');
  writeFileSync(source, bytes);
  return { source, sizeBytes: bytes.length, name: 'debian.sqfs', beside: [], mountpoint: join(folder, 'ram') };
}

test.each([0, 1, MIB, 5 * MIB + 123])('an image of %d bytes is copied whole', async (size) => {
  const bytes = randomBytes(size);
  const { system, mounts } = fake();
  const copy = await copyToRam(request(bytes), system);
  expect(copy.path).toBe(join(folder, 'ram/debian.sqfs'));
  expect(readFileSync(copy.path).equals(bytes)).toBe(true);
  expect(mounts).toMatchObject([{ type: 'tmpfs' }]);
});

test('what lies beside the image goes along', async () => {
  const index = join(folder, 'debian.caibx');
  writeFileSync(index, 'index');
  const copy = await copyToRam({ ...request(randomBytes(10)), beside: [index] }, fake().system);
  expect(readFileSync(copy.beside.get(index) ?? '', 'utf8')).toBe('index');
});

test('every byte is inspected once, in order', async () => {
  const bytes = randomBytes(4 * MIB + 7);
  const hash = createHash('sha256');
  const offsets: number[] = [];
  await copyToRam(
    {
      ...request(bytes),
      inspect(piece, offset) {
        hash.update(piece);
        offsets.push(offset);
      },
    },
    fake().system,
  );
  expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(offsets).toEqual([0, MIB, 2 * MIB, 3 * MIB, 4 * MIB]);
});

test('an inspection that finds a fault ends the copy, and its RAM is given back', async () => {
  const { system, unmounted } = fake();
  const inspect = (_piece: Uint8Array, offset: number) => {
    if (offset === MIB) throw new Error('chunk 3 is not what the index says');
  };
  const copying = copyToRam({ ...request(randomBytes(3 * MIB)), inspect }, system);
  await expect(copying).rejects.toMatchObject({ cause: { message: 'chunk 3 is not what the index says' } });
  expect(unmounted).toEqual([join(folder, 'ram')]);
});

test('a medium that ends before the image does is named with the place', async () => {
  const { system, unmounted } = fake();
  const short = { ...request(randomBytes(2 * MIB + 5)), sizeBytes: 3 * MIB };
  await expect(copyToRam(short, system)).rejects.toMatchObject({
    message: `copy ${short.source} to RAM (${3 * MIB} bytes)`,
    cause: { message: `ends at byte ${2 * MIB + 5}` },
  });
  expect(unmounted.length).toBe(1);
});

test('an abort ends it', async () => {
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  const copying = copyToRam({ ...request(randomBytes(MIB)), signal: stop.signal }, fake().system);
  await expect(copying).rejects.toMatchObject({ cause: { message: 'enough' } });
});

test('progress ends at the whole', async () => {
  const said: CopyProgress[] = [];
  await copyToRam({ ...request(randomBytes(2 * MIB)), onProgress: (progress) => said.push(progress) }, fake().system);
  expect(said.at(-1)).toMatchObject({ copiedBytes: 2 * MIB, totalBytes: 2 * MIB });
});

test('too little memory is said before anything is copied', async () => {
  expect(() => checkMemoryFor(900 * MIB, 700 * MIB)).toThrow(
    'viver.toram: the image takes 900 MiB of RAM and the system 192 MiB, but only 700 MiB are free; boot without viver.toram',
  );
  checkMemoryFor(500 * MIB, 700 * MIB);
  const huge = { ...request(randomBytes(1)), sizeBytes: 2 ** 50 };
  const { system, mounts } = fake();
  await expect(copyToRam(huge, system)).rejects.toThrow('viver.toram: the image takes');
  expect(mounts).toEqual([]);
  expect(existsSync(join(folder, 'ram'))).toBe(false);
});

test('free memory is read from the kernel’s own words', () => {
  expect(parseMemAvailable('MemTotal:  100 kB\nMemAvailable:    24 kB\n')).toBe(24 * 1024);
  expect(() => parseMemAvailable('nonsense')).toThrow('no MemAvailable');
});
