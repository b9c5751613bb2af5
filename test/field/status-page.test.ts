import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { MachineStatus } from '../../src/runes/machine-status.ts';
import { STATUS_PAGE } from '../../src/runes/web/status-page.ts';
import { type Answer, WebServer } from '../../src/runes/web/web-server.ts';

const machine = (hostname: string, held: string, booted: 'medium' | 'network'): MachineStatus => ({
  version: 1,
  hostname,
  role: booted === 'medium' ? 'boot-server' : 'node',
  address: '10.86.0.1',
  mac: '52:54:00:00:00:01',
  booted,
  image: { name: 'debian', id: 'ab'.repeat(32) },
  canServe: true,
  dhcp: { mode: booted === 'medium' ? 'full' : 'standby', why: '' },
  tftp: null,
  load: { transfers: 0, sentBytes: 0 },
  refused: {},
  plugins: [],
  field: {
    image: { id: 'ab'.repeat(32), name: 'debian', size: 4e8, chunks: 10 },
    node: { id: 'a', address: '10.86.0.1:20070', held: held.replaceAll('0', '').length },
    peers: [],
    redundancy: { min: 1, mean: 1.5 },
    traffic: { fromPeers: 2e8, fromMedium: 0, fromOrigin: 0, toPeers: 0, rejected: 0 },
    shutOut: [],
  },
  strip: { held, copies: [...held].map((digit) => (digit === '9' ? 2 : 1)) },
  uptimeSeconds: 1,
  boot: null,
});

/** What headless Chromium shows of the page when two seconds and a half of its own clock are over: the document, and requests. */
async function look(machines: (round: number) => readonly MachineStatus[]): Promise<{ html: string; asked: string[] }> {
  const asked: string[] = [];
  let round = 0;
  const server = new WebServer({
    log: () => {},
    answer(path): Answer | undefined {
      asked.push(path);
      if (path === '/') return { kind: 'text', type: 'text/html; charset=utf-8', text: STATUS_PAGE };
      if (path === '/machines.json')
        return { kind: 'text', type: 'application/json', text: JSON.stringify(machines(round++)) };
      return undefined;
    },
  });
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  try {
    const port = await server.listen('127.0.0.1', 0);
    const words = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
    const { stdout } = await promisify(execFile)(
      'chromium',
      [...words, `--user-data-dir=${profile}`, '--virtual-time-budget=2500', '--dump-dom', `http://127.0.0.1:${port}/`],
      { timeout: 120_000, maxBuffer: 16 << 20 },
    );
    return { html: stdout, asked };
  } finally {
    await server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

test('the page shows each machine with the strip of what it holds, and goes on asking', async () => {
  const first = machine('one', '9999999999', 'medium');
  const { html, asked } = await look((round) => [
    first,
    machine('two', round === 0 ? '9000000000' : '9999900000', 'network'),
  ]);
  expect(html).toContain('<h1 id="title">debian</h1>');
  expect(html).toMatch(/10 chunks, 400 MB, 2 machines, seen from one/);
  expect(html).toMatch(
    /<td>one<small>10\.86\.0\.1, by medium<\/small><\/td><td>boot-server<small>boots others \(full DHCP\)/,
  );
  expect(html).toContain('200 MB in, 0.0 MB out');
  expect(html).toContain('data-held="9999999999"');
  // the second answer, not the first
  expect(html).toContain('data-held="9999900000"');
  expect(html).toContain('each chunk 1 times at least, 1.5 in the mean');
  // nothing from elsewhere
  expect(new Set(asked)).toEqual(new Set(['/', '/machines.json', ...asked.filter((path) => path === '/favicon.ico')]));
});

test('a machine that calls itself by markup is shown as text', async () => {
  const { html } = await look(() => [machine('<img src=x onerror=alert(1)>', '9', 'medium')]);
  expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;');
  expect(html).not.toContain('<img');
});
