import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { describeOverview } from '../../src/kit/status.ts';
import type { MachineStatus } from '../../src/runes/machine-status.ts';
import { checkOverview, type Overview } from '../../src/runes/overview/overview.ts';
import { hashPassword } from '../../src/runes/web/password.ts';
import { looker, type PeerKind, simulatedPeers, startCrowd } from './status/crowd.ts';
import { webOf } from './status/web-of-one.ts';

/** What headless Chromium shows of the page when some seconds of its own clock are over: the document, and requests. */
async function look(status: () => MachineStatus): Promise<{ html: string; asked: string[] }> {
  await using web = await webOf(status, 1000);
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  try {
    const words = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
    const { stdout } = await promisify(execFile)(
      'chromium',
      [
        ...words,
        `--user-data-dir=${profile}`,
        '--virtual-time-budget=6000',
        '--dump-dom',
        `http://127.0.0.1:${web.port}/`,
      ],
      { timeout: 120_000, maxBuffer: 16 << 20 },
    );
    return { html: stdout, asked: web.asked };
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

const crowd = (kinds: readonly PeerKind[]) => {
  const peers = simulatedPeers(kinds);
  return { peers, start: () => startCrowd(peers) };
};

const many = (count: number, kind: PeerKind): PeerKind[] => Array.from({ length: count }, () => kind);

/** Asks again until each machine has answered or is known not to. */
async function settled(port: number, isSettled: (overview: Overview) => boolean): Promise<Overview> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/machines.json`);
    expect(answer.status).toBe(200);
    const overview = checkOverview(await answer.json());
    if (isSettled(overview)) return overview;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

const states = ({ machines }: Overview) => Object.groupBy(machines, ({ state }) => state);

test('the page shows each machine, those still loading, charts and what is wrong, and asks nobody else', async () => {
  const { peers, start } = crowd(['good', 'odd', 'off']);
  await using _crowd = await start();
  const loading = [
    {
      address: '10.86.0.9',
      mac: '52:54:00:00:00:09',
      step: 'initrd' as const,
      share: 0.43,
      silentSeconds: 1,
      seconds: 9,
    },
  ];
  let round = 0;
  const { html, asked } = await look(() => ({
    ...looker(peers, loading),
    uptimeSeconds: round++ === 0 ? 100 : 60_000,
  }));
  expect(html).toContain('<h1 id="title">debian</h1>');
  expect(html).toContain('199 MB in 3009 chunks, seen from teacher');
  expect(html).toMatch(
    /<span>teacher<\/span>.*?boots others \(full DHCP\), sends 2 boot files.*?boot-server, VIVER 0\.1\.0/,
  );
  expect(html).toMatch(/<span>pc-1<\/span>/);
  expect(html).toContain('data-held="9999');
  // What a boot reads: the earlier the darker, and nothing where nothing is read.
  expect(html).toContain('<b>10 %</b><span>of the image is read by a boot (3 boots)</span>');
  expect(html).toMatch(
    /<path class="held" d="M0 0H2V6H0Z" fill-opacity="1.00">.*?d="M4 0H5V6H4Z" fill-opacity="0.72">/,
  );
  expect(html).toMatch(/<path class="in" d="M0 [\d.]+L1 /);
  expect(html).toMatch(/<span>10\.86\.0\.9<\/span>.*?loads the initrd, 43 %/);
  expect(html).toContain('127.86.0.2: what it answers is no status (machine status: bad field).');
  expect(html).toMatch(/<span>127\.86\.0\.3<\/span>.*?its system starts/);
  // the second answer, not the first
  expect(html).toContain('up 17 h');
  expect(new Set(asked)).toEqual(new Set(['/', '/machines.json']));
});

test('a machine that describes itself by markup is shown as text', async () => {
  const { peers, start } = crowd(['markup']);
  await using _crowd = await start();
  const { html } = await look(() => looker(peers));
  expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;\\x1b]0;owned\\x07');
  expect(html).not.toContain('<img');
});

test('of two hundred machines each is shown as it answers: broken, silent and hostile ones too', async () => {
  const hostile: PeerKind[] = ['drip', 'endless', 'nonsense', 'odd'];
  const { peers, start } = crowd([...many(170, 'good'), ...many(10, 'silent'), ...many(10, 'off'), ...hostile]);
  await using _crowd = await start();
  await using web = await webOf(() => looker(peers));
  const overview = await settled(
    web.port,
    (one) => (states(one).late ?? []).length === 0 && states(one).up?.length === 171,
  );
  const counts = Object.fromEntries(Object.entries(states(overview)).map(([state, list]) => [state, list?.length]));
  expect(counts).toEqual({ up: 171, starting: 10, silent: 11, broken: 3 });
  expect(overview.machines.map(({ status }) => status?.hostname).slice(0, 1)).toEqual(['teacher']);
  expect(overview.troubles[0]).toMatch(/^127\.86\.0\.171, .* and 5 more do not answer\.$/);
  const text = describeOverview(overview);
  expect(text).toMatch(/^pc-170 +127\.86\.0\.170 +node +0\.1\.0 +up /m);
  expect(text).toMatch(/^127\.86\.0\.192 +127\.86\.0\.192 +its answer is no status \(a status without end\)/m);
  for (const trouble of overview.troubles) expect(text).toContain(`! ${trouble}\n`);
});

test('who looks is answered while others are waited for, and many that look at once ask others once', async () => {
  const { peers, start } = crowd(many(5, 'silent'));
  await using _crowd = await start();
  let asked = 0;
  await using web = await webOf(() => {
    asked++;
    return looker(peers);
  });
  const url = `http://127.0.0.1:${web.port}/machines.json`;
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => checkOverview(await (await fetch(url)).json())),
  );
  for (const answer of answers) expect(states(answer).late).toHaveLength(5);
  expect(asked).toBe(1);
});

test('the page and what programs ask are read only, and one address has so many questions and connections', async () => {
  await using web = await webOf(() => looker([]));
  const base = `http://127.0.0.1:${web.port}`;
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
    expect((await fetch(`${base}/machines.json`, { method })).status).toBe(405);
  const ask = async () => (await fetch(`${base}/status.json?row`)).status;
  const codes: number[] = [];
  // A slow machine asks no faster than it may, at first.
  for (let times = 0; times < 30 && codes.filter((code) => code === 429).length <= 10; times++)
    codes.push(...(await Promise.all(Array.from({ length: 100 }, ask))));
  expect(codes.filter((code) => code === 200).length).toBeGreaterThanOrEqual(60);
  expect(codes.filter((code) => code === 429).length).toBeGreaterThan(10);
  expect(web.server.refused.limited).toBeGreaterThan(10);
});

test('with a password the status is for who knows it, and for machines of the field', async () => {
  const hash = await hashPassword('sesame');
  await using web = await webOf(() => looker(simulatedPeers(['off'])), 0, hash);
  const ask = async (path: string, password?: string) => {
    const authorization =
      password === undefined ? undefined : `Basic ${Buffer.from(`x:${password}`).toString('base64')}`;
    const headers = authorization === undefined ? {} : { authorization };
    return (await fetch(`http://127.0.0.1:${web.port}${path}`, { headers })).status;
  };
  for (const path of ['/', '/machines.json', '/status.json', '/status.json?row']) {
    expect([path, await ask(path)]).toEqual([path, 401]);
    expect([path, await ask(path, 'sesame')]).toEqual([path, 200]);
  }
  expect(await ask('/machines.json', 'wrong')).toBe(401);
  // machines ask each other who serves by it, before they know each other
  expect(await ask('/status.json?brief')).toBe(200);
  const peer = (path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const of = { host: '127.0.0.1', port: web.port, path, localAddress: '127.86.0.1' };
      get(of, (response) => resolve(response.resume().statusCode)).once('error', reject);
    });
  expect(await peer('/status.json?row')).toBe(200);
});
