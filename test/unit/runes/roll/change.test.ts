import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HTTP_PORT } from '../../../../src/runes/places.ts';
import { type ChangeFacts, findChange, whyFirmware } from '../../../../src/runes/roll/change.ts';
import { bootScript } from '../../../../src/runes/web/boot-script.ts';

const SERVER = '127.7.7.7';
const id = 'cd'.repeat(32);
const facts: ChangeFacts = {
  ...{ booted: 'network', mac: '52:54:00:00:00:01', server: SERVER, isServer: false },
  ...{ hasSystemd: true, hasSelinux: false },
};
const uname = { release: '6.1.0-9-amd64', version: '#1 SMP Debian 6.1.9-1 (2026-01-01)' };

/** The head of an x86 kernel that says which it is. */
function kernel(text: string): Buffer {
  const bytes = Buffer.alloc(100_000, 0x90);
  bytes.write('HdrS', 0x202, 'latin1');
  bytes.writeUInt16LE(0x3000, 0x20e);
  bytes.write(`${text}\0`, 0x3200, 'latin1');
  return bytes;
}

const same = `${uname.release} (a@b.example) ${uname.version}`;
const initrd = Buffer.alloc(200_000, 'initrd ');
/** What the server has; asked in this order. */
let served: Record<string, Buffer | string> = {};
const asked: string[] = [];

const server = createServer((request, response) => {
  const { pathname, search } = new URL(request.url ?? '', 'http://any');
  asked.push(pathname + search);
  const body = Buffer.from(served[pathname] ?? '');
  const [, first, last] = /^bytes=(\d*)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  if (last === undefined) return response.end(body);
  const start = first === '' ? Math.max(0, body.length - Number(last)) : Number(first);
  const end = first === '' ? body.length : Math.min(body.length, Number(last) + 1);
  response.writeHead(206, { 'Content-Range': `bytes ${start}-${end - 1}/${body.length}` });
  response.end(body.subarray(start, end));
});

const lower = mkdtempSync(join(tmpdir(), 'change-'));
beforeAll(async () => {
  mkdirSync(join(lower, 'boot'));
  writeFileSync(join(lower, 'boot/viverrd.zst'), initrd);
  await new Promise<void>((resolve) => server.listen(HTTP_PORT, SERVER, resolve));
});
afterAll(() => {
  server.close();
  rmSync(lower, { recursive: true });
});

function serve(files: Record<string, Buffer | string> = {}): Promise<unknown> {
  const base = `http://${SERVER}:${HTTP_PORT}`;
  const script = bootScript({
    base,
    image: { name: 'next', id },
    others: [],
    peers: [SERVER],
    words: [],
    hasMemtest: false,
  });
  served = { '/boot/boot.ipxe': script, '/boot/vmlinuz': kernel(same), '/boot/viverrd.zst': initrd, ...files };
  asked.length = 0;
  return findChange(facts, { uname, lower });
}

test('what the server has is taken when it has the kernel and the initrd that run; of each a part is fetched', async () => {
  expect(await serve()).toMatchObject({ image: { name: 'next', id } });
  expect(asked).toEqual(['/boot/boot.ipxe?mac=52-54-00-00-00-01&look', '/boot/vmlinuz?here', '/boot/viverrd.zst?here']);
});

test('another kernel, another build of it, another initrd, and what is no kernel are for the firmware', async () => {
  for (const text of [`6.1.0-10-amd64 (a@b.example) ${uname.version}`, same.replace('6.1.9-1', '6.1.9-2'), ''])
    await expect(serve({ '/boot/vmlinuz': kernel(text) }), text).rejects.toThrow('next has another kernel');
  await expect(serve({ '/boot/vmlinuz': 'x' })).rejects.toThrow('next has another kernel');
  const changed = Buffer.from(initrd);
  changed[199_999] = 0;
  for (const other of [initrd.subarray(1), changed])
    await expect(serve({ '/boot/viverrd.zst': other })).rejects.toThrow('next has another initrd');
  await expect(serve({ '/boot/boot.ipxe': 'x'.repeat(1 << 17) })).rejects.toThrow(
    `the boot server ${SERVER}: no answer`,
  );
});

test.each<[string, Partial<ChangeFacts>, string | undefined]>([
  ['of the usual kind', {}, undefined],
  ['with a medium of its own', { booted: 'medium' }, 'it boots from a medium of its own'],
  ['without systemd', { hasSystemd: false }, 'its init is not systemd'],
  ['with SELinux', { hasSelinux: true }, 'an SELinux policy is in force'],
  ['that boots the others', { isServer: true }, 'it is the boot server itself'],
  ['alone', { server: null }, 'no machine boots others now'],
])('a machine %s', (_name, more, why) => {
  expect(whyFirmware({ ...facts, ...more })).toBe(why);
});
