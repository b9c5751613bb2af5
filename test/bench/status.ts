/**
 * How soon the status page's data and `viver status` are there with 200 machines, simulated ones that really answer over
 * sockets, from a process of their own: `node test/bench/status.ts [ROUNDS]` writes build/bench/status.json. Each round
 * begins with a web server that has asked nobody yet (`first`), then asks again two seconds later (`again`), as the page.
 * `firstCpu` and `againCpu` are what this process, server and asker in one, computed meanwhile: on a machine that others
 * use too, the times say little.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { checkOverview } from '../../src/runes/overview/overview.ts';
import { looker, type PeerKind, simulatedPeers, startCrowd } from '../field/status/crowd.ts';
import { webOf } from '../field/status/web-of-one.ts';

const root = join(import.meta.dirname, '../..');
const rounds = Number(process.argv[2] ?? 9);
const MACHINES = 200;

const CROWDS: Readonly<Record<string, (i: number) => PeerKind>> = {
  'all answer': () => 'good',
  'ten silent, ten off, four hostile': (i) =>
    i < 10 ? 'silent' : i < 20 ? 'off' : ((['drip', 'endless', 'nonsense', 'odd'] as const)[i - 20] ?? 'good'),
};

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, result: T, cpuMs: number]> {
  const startMs = performance.now();
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return [Math.round(performance.now() - startMs), result, Math.round((user + system) / 1000)];
}

function summary(samples: readonly number[]) {
  const sorted = [...samples].sort((a, b) => a - b);
  return { medianMs: sorted[sorted.length >> 1], worstMs: sorted.at(-1), samples };
}

const results: Record<string, unknown> = {};
for (const [name, kindOf] of Object.entries(CROWDS)) {
  const peers = simulatedPeers(Array.from({ length: MACHINES - 1 }, (_, i) => kindOf(i)));
  await using _crowd = await startCrowd(peers);
  const taken: Record<string, number[]> = { page: [], first: [], firstCpu: [], again: [], againCpu: [], command: [] };
  let shown = 0;
  for (let round = 0; round < rounds; round++) {
    await using web = await webOf(() => looker(peers));
    const base = `http://127.0.0.1:${web.port}`;
    const overview = async () => checkOverview(await (await fetch(`${base}/machines.json`)).json());
    const [page] = await timed(async () => (await fetch(`${base}/`)).text());
    const [first, , firstCpu] = await timed(overview);
    await sleep(2000);
    const [again, { machines }, againCpu] = await timed(overview);
    await sleep(2000);
    const words = ['status', '--host', `127.0.0.1:${web.port}`];
    const [command] = await timed(() => promisify(execFile)(join(root, 'build/viver'), words));
    for (const [key, ms] of Object.entries({ page, first, firstCpu, again, againCpu, command })) taken[key]?.push(ms);
    shown = machines.filter(({ state }) => state === 'up').length;
  }
  const rows = Object.entries(taken).map(([key, samples]) => [key, summary(samples)] as const);
  results[name] = { machines: MACHINES, up: shown, ...Object.fromEntries(rows) };
  for (const [key, { medianMs, worstMs }] of rows)
    process.stdout.write(`${name}: ${key} ${medianMs} ms, worst ${worstMs} ms\n`);
}

const processor = { model: cpus()[0]?.model, count: cpus().length, load: loadavg() };
mkdirSync(join(root, 'build/bench'), { recursive: true });
writeFileSync(
  join(root, 'build/bench/status.json'),
  `${JSON.stringify({ processor, rounds, results }, undefined, 2)}\n`,
);
