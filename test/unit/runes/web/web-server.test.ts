import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRange, parseTarget, WebServer } from '../../../../src/runes/web/web-server.ts';

const directory = mkdtempSync(join(tmpdir(), 'web-'));
const content = Buffer.from('0123456789'.repeat(1000));
const lines: string[] = [];
const shares: number[] = [];
const server = new WebServer({
  log: (line) => lines.push(line),
  answer(path, query) {
    const file = join(directory, 'file');
    if (path === '/file') return { kind: 'file', path: file, sizeBytes: content.length };
    if (path === '/few') return { kind: 'file', path: file, sizeBytes: content.length, flightBytes: 3000 };
    if (path === '/text') return { kind: 'text', type: 'text/plain', text: query.get('say') ?? 'nothing' };
    if (path === '/there') return { kind: 'redirect', to: 'http://127.0.0.1:1/file' };
    if (path === '/later') return { kind: 'unavailable', why: 'not shared yet' };
    if (path === '/often') return { kind: 'limited' };
    if (path === '/watched') {
      shares.length = 0;
      return { kind: 'file', path: file, sizeBytes: content.length, onProgress: (share) => shares.push(share) };
    }
    if (path === '/broken') throw new Error('it broke');
    return undefined;
  },
});
let base = '';
let port = 0;

beforeAll(async () => {
  writeFileSync(join(directory, 'file'), content);
  port = await server.listen('127.0.0.1', 0);
  base = `http://127.0.0.1:${port}`;
});
afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

/** Sends bytes as they are and gives the first line of the answer, or all of it. */
function raw(text: string, isWhole = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (part) => (answer += part.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? undefined : reject(error)));
    socket.on('close', () => resolve(isWhole ? answer : (answer.split('\r\n')[0] ?? '')));
  });
}

describe('the web server', () => {
  test('gives files whole and by ranges, and counts what it sent', async () => {
    const whole = await fetch(`${base}/file`);
    expect(Buffer.from(await whole.arrayBuffer())).toEqual(content);
    const part = await fetch(`${base}/file`, { headers: { range: 'bytes=9990-' } });
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
      206,
      'bytes 9990-9999/10000',
      '0123456789',
    ]);
    const head = await fetch(`${base}/file`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe('10000');
    // Who has all bytes may be told so before the server is.
    await expect.poll(() => server.transfers).toBe(0);
    expect(server.sentBytes).toBeGreaterThanOrEqual(10_010);
  });

  test('gives text, redirects, and says what is not yet', async () => {
    expect(await (await fetch(`${base}/text?say=hello`)).text()).toBe('hello');
    const there = await fetch(`${base}/there`, { redirect: 'manual' });
    expect([there.status, there.headers.get('location')]).toEqual([302, 'http://127.0.0.1:1/file']);
    expect((await fetch(`${base}/later`)).status).toBe(503);
  });

  test('waits for what it sent to be acknowledged, where a machine can take little at a time', async () => {
    const whole = await fetch(`${base}/few`);
    expect(Buffer.from(await whole.arrayBuffer())).toEqual(content);
    const part = await fetch(`${base}/few`, { headers: { range: 'bytes=2990-6010' } });
    expect(await part.text()).toBe(content.subarray(2990, 6011).toString());
    // One that goes away in the middle is not waited for.
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /few HTTP/1.1\r\nHost: x\r\n\r\n'));
    socket.once('data', () => socket.resetAndDestroy());
    await expect.poll(() => socket.destroyed && server.transfers, { timeout: 10_000 }).toBe(0);
  });

  test('tells how far a file is, and from where a range goes on', async () => {
    await (await fetch(`${base}/watched`)).arrayBuffer();
    await expect.poll(() => shares).toEqual([1]);
    await (await fetch(`${base}/watched`, { headers: { range: 'bytes=2000-4999' } })).arrayBuffer();
    await expect.poll(() => shares).toEqual([0.5]);
  });

  test('lets one address have many connections, not all', async () => {
    const { limited } = server.refused;
    expect((await fetch(`${base}/often`)).status).toBe(429);
    const sockets = Array.from({ length: 150 }, () =>
      connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }).on('error', () => {}),
    );
    const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', () => resolve(true))));
    await expect.poll(() => sockets.filter((socket) => socket.destroyed).length, { timeout: 10_000 }).toBe(22);
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
    expect(server.refused.limited).toBe(limited + 1 + 22);
    await expect.poll(async () => (await fetch(`${base}/text`)).status).toBe(200);
  });

  test('answers what is asked in one packet one after another, and ends who asks a thousand times', async () => {
    const asked = ['/text?say=one', '/file', '/text?say=two'].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n`);
    const answers = await raw(`${asked.join('\r\n')}Connection: close\r\n\r\n`, true);
    expect(answers.split('HTTP/1.1 200 OK').length).toBe(4);
    expect(answers.indexOf('one')).toBeLessThan(answers.indexOf('0123456789'));
    expect(answers.trimEnd().endsWith('two')).toBe(true);
    const { limited } = server.refused;
    expect(await raw('GET /file HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(900))).toBe('');
    expect(server.refused.limited).toBe(limited + 1);
    await expect.poll(() => server.transfers).toBe(0);
  });

  test('refuses and counts what leads out, what is unknown, and other methods', async () => {
    const before = { ...server.refused };
    const escapes = ['/../etc/passwd', '/%2e%2e/etc/passwd', '/a/./b', '//etc/passwd', '/a\\..\\b', '/a%00'];
    for (const path of escapes)
      expect(await raw(`GET ${path} HTTP/1.0\r\n\r\n`), path).toBe('HTTP/1.1 400 Bad Request');
    expect((await fetch(`${base}/other`)).status).toBe(404);
    expect((await fetch(`${base}/file`, { method: 'DELETE' })).status).toBe(405);
    expect(await raw('what is this\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
    expect(server.refused).toEqual({
      escape: before.escape + escapes.length,
      unknown: before.unknown + 1,
      method: before.method + 1,
      broken: before.broken + 1,
      limited: before.limited,
      locked: before.locked,
    });
  });

  test('an answer that fails is told once and is no end of the server', async () => {
    expect((await fetch(`${base}/broken`)).status).toBe(500);
    expect(lines).toEqual(['/broken: it broke']);
    expect((await fetch(`${base}/text`)).status).toBe(200);
  });
});

test('no target that is taken has a part that leads upwards', () => {
  const piece = fc.constantFrom('/', '..', '.', 'a', '%2e', '\\', '//', '\0', '?', 'b.c');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((parts) => parts.join('')),
      ),
      (target) => {
        const found = parseTarget(target);
        if (found === undefined) return;
        expect(join('/root', found.path).startsWith('/root/')).toBe(true);
        expect(found.path).not.toMatch(/%|\\|\0/);
      },
    ),
  );
});

test('a range is within the file or ignored', () => {
  expect(parseRange('bytes=0-', 10)).toEqual({ start: 0, end: 10 });
  expect(parseRange('bytes=2-4', 10)).toEqual({ start: 2, end: 5 });
  expect(parseRange('bytes=-3', 10)).toEqual({ start: 7, end: 10 });
  for (const text of [
    undefined,
    'bytes=',
    'bytes=-',
    'bytes=9-2',
    'bytes=10-',
    'bytes=-0',
    'bytes=1-2,3-4',
    'lines=1-2',
  ])
    expect(parseRange(text, 10)).toBeUndefined();
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(), (a, b, size) => {
      const range = parseRange(`bytes=${a}-${b}`, size);
      if (range !== undefined) expect(range.start >= 0 && range.start < range.end && range.end <= size).toBe(true);
    }),
  );
});
