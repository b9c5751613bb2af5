import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createChunkIndex, encodeChunkIndex, INDEX_SIZE_LIMIT } from '../../../src/image/chunk-index.ts';
import { readIndexFile, writeIndexFile } from '../../../src/image/index-file.ts';
import { noise, temporaryFolder } from './images.ts';

const index = createChunkIndex(Float64Array.of(100, 300), noise(64));

test('an index written is the one read, and nothing else is left behind', async () => {
  using folder = temporaryFolder();
  const path = folder.at('a.caibx');
  await writeIndexFile(path, index);
  await writeIndexFile(path, index);
  expect(readdirSync(folder.path)).toEqual(['a.caibx']);
  expect(new Uint8Array(readFileSync(path))).toEqual(encodeChunkIndex(index));
  expect((await readIndexFile(path)).id).toBe(index.id);
  expect((await readIndexFile(path, index.id)).count).toBe(2);
});

test('errors name the file and what is wrong with it', async () => {
  using folder = temporaryFolder();
  const path = folder.at('a.caibx');
  await expect(readIndexFile(path)).rejects.toThrow(/a\.caibx: ENOENT/);
  writeFileSync(path, encodeChunkIndex(index).subarray(0, 100));
  await expect(readIndexFile(path)).rejects.toThrow(/a\.caibx: bad chunk index: cut short/);
  await writeIndexFile(path, index);
  await expect(readIndexFile(path, '0'.repeat(64))).rejects.toThrow(
    /a\.caibx: chunk index is [0-9a-f]{64}, wanted 0{64}$/,
  );
  // Sparse: it takes no space, and would take all memory if it were read.
  truncateSync(path, INDEX_SIZE_LIMIT * 100);
  await expect(readIndexFile(path)).rejects.toThrow(/a\.caibx: bad chunk index: \d+ bytes are too many/);
});

test('a directory that cannot be written to is an error', async () => {
  using folder = temporaryFolder();
  await expect(writeIndexFile(folder.at('nothing/a.caibx'), index)).rejects.toThrow('ENOENT');
});

test('a FIFO in the place of an index is refused, not waited for; a device is not read', async () => {
  using folder = temporaryFolder();
  execFileSync('mkfifo', [folder.at('a.caibx')]);
  await expect(readIndexFile(folder.at('a.caibx'))).rejects.toThrow(/a\.caibx: bad chunk index: no regular file/);
  await expect(readIndexFile('/dev/zero')).rejects.toThrow(/zero: bad chunk index: no regular file/);
});
