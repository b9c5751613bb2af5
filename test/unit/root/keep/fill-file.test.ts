import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fillFile } from '../../../../src/root/keep/fill-file.ts';

const MIB = 1024 * 1024;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-fill-'));
  path = join(folder, 'keep.ext4.part');
});
afterEach(() => rmSync(folder, { recursive: true }));

const request = () => ({ path, sizeBytes: 20 * MIB, leastBytes: 4 * MIB, onProgress: () => {} });
const cannotReserve = async () => false;

test('a file has all its blocks', async () => {
  expect(await fillFile(request())).toBe(20 * MIB);
  expect(statSync(path).size).toBe(20 * MIB);
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(20 * MIB);
});

test('where nothing can be reserved it is written full of zeroes, and how far it is is told', async () => {
  const told: number[] = [];
  const onProgress = ({ copiedBytes }: { readonly copiedBytes: number }) => void told.push(copiedBytes / MIB);
  expect(await fillFile({ ...request(), onProgress, reserve: cannotReserve })).toBe(20 * MIB);
  expect(readFileSync(path).equals(Buffer.alloc(20 * MIB))).toBe(true);
  expect(told).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
});

test('a slow medium gets a smaller file, and never one that is of no use', async () => {
  expect(await fillFile({ ...request(), longestMs: 0, reserve: cannotReserve })).toBe(4 * MIB);
  expect(statSync(path).size).toBe(4 * MIB);
});

test('a medium that fails is an error', async () => {
  await expect(fillFile({ ...request(), path: join(folder, 'none/file'), reserve: cannotReserve })).rejects.toThrow();
});
