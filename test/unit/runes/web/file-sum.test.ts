import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileSum } from '../../../../src/runes/web/file-sum.ts';

/** FIPS 180-4's example. */
const OF_ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

test('a file is read once, however often its sum is wanted; one that cannot be read is tried again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'file-sum-'));
  try {
    const path = join(directory, 'file');
    const sum = new FileSum(path);
    await expect(sum.get()).rejects.toThrow('ENOENT');
    expect(sum.known).toBeUndefined();
    writeFileSync(path, 'abc');
    expect(await Promise.all([sum.get(), sum.get()])).toEqual([OF_ABC, OF_ABC]);
    expect(sum.known).toBe(OF_ABC);
    writeFileSync(path, 'another');
    expect(await sum.get()).toBe(OF_ABC);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
