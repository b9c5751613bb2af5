import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BlockSource } from '../../src/nbd/block-source.ts';
import { NbdServer } from '../../src/nbd/server.ts';

const run = promisify(execFile);

/** No whole number of anything. */
const SIZE = 37 * 1024 * 1024 + 777;

let directory: string;
let bytes: Buffer;
let server: NbdServer;
let unix: string;
let tcp: string;

/** Some reads come at once, some in the next round, some late: what a field does. */
const source: BlockSource = {
  size: SIZE,
  read(offset, length) {
    const found = bytes.subarray(offset, offset + length);
    if (offset % 5 < 3) return found;
    return new Promise((resolve) => setTimeout(() => resolve(found), offset % 7));
  },
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'viver-nbd-'));
  bytes = randomBytes(SIZE);
  writeFileSync(join(directory, 'image'), bytes);
  server = new NbdServer({ source, name: 'debian', description: 'Debian 12' });
  await server.listen({ path: join(directory, 'nbd.sock') });
  unix = `nbd+unix:///?socket=${join(directory, 'nbd.sock')}`;
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  tcp = `nbd://127.0.0.1:${'port' in address ? address.port : 0}`;
});

afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

test('nbdinfo sees a read-only export that several connections may read', async () => {
  const { exports } = JSON.parse((await run('nbdinfo', ['--json', unix])).stdout) as { exports: object[] };
  expect(exports[0]).toMatchObject({
    'export-size': SIZE,
    description: 'Debian 12',
    is_read_only: true,
    can_multi_conn: true,
    can_flush: true,
    can_trim: false,
    can_zero: false,
    block_size_minimum: 1,
    block_size_preferred: 4096,
    block_size_maximum: 32 * 1024 * 1024,
  });
  expect((await run('nbdinfo', ['--size', tcp])).stdout.trim()).toBe(String(SIZE));
  await run('nbdinfo', ['--can', 'multi-conn', unix]);
  await run('nbdinfo', ['--is', 'read-only', unix]);
  const listed = JSON.parse((await run('nbdinfo', ['--list', '--json', unix])).stdout) as { exports: object[] };
  expect(listed.exports).toMatchObject([{ 'export-name': 'debian' }]);
});

test('nbdcopy brings the whole image, over one connection or several, by unix and by TCP', async () => {
  for (const uri of [unix, tcp]) {
    for (const connections of [1, 4]) {
      const copy = join(directory, 'copy');
      await run('nbdcopy', [`--connections=${connections}`, uri, copy]);
      expect(readFileSync(copy).equals(bytes), `${uri} ${connections}`).toBe(true);
    }
  }
});

test('qemu-img reads it, by the export’s name too', async () => {
  const uri = `nbd+unix:///debian?socket=${join(directory, 'nbd.sock')}`;
  const info = JSON.parse((await run('qemu-img', ['info', '--output=json', uri])).stdout) as object;
  // QEMU counts in sectors.
  expect(info).toMatchObject({ format: 'raw', 'virtual-size': Math.ceil(SIZE / 512) * 512 });
  const copy = join(directory, 'converted');
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', uri, copy]);
  expect(readFileSync(copy).subarray(0, SIZE).equals(bytes)).toBe(true);
});

test('writing is refused: nbdcopy says so and the export is unharmed', async () => {
  await expect(run('nbdcopy', [join(directory, 'image'), unix])).rejects.toThrow(/read-only|Operation not permitted/);
  await run('nbdcopy', [unix, 'null:']);
});

test('fifty clients at once are served', async () => {
  await Promise.all(Array.from({ length: 50 }, () => run('nbdinfo', ['--size', unix])));
  expect(server.connections).toBe(0);
});
