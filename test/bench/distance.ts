/**
 * Images over distance, in network namespaces: `node test/bench/distance.ts [ROUNDS]` writes build/bench/distance.json.
 *
 * - `boot`: the seconds of a boot's reads (a seventh of the image, 32 KiB each, one after the other, 10 ms of work after
 *   each) from one origin behind 20 Mbit/s, without a profile, with the right one, and with one that is wrong throughout.
 *   There is no delay on these links (netem is not in the kernel), which would be in favour of a profile.
 * - `origins`: the seconds in which one node reads all of the image from one origin, and from four, each behind 20 Mbit/s.
 * - `curl`: likewise from one origin without a limit, beside curl that fetches the same chunk files, 12 at a time.
 * - `field`: images that cross the link of 20 Mbit/s behind which ten nodes read all of it at once.
 *
 * Rounds are alternated. Needs root. On a machine that others use too, seconds say little; `load` is what it had to do.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { printProfile } from '../../src/image/profile/profile.ts';
import { type Daemon, FieldTest, hashOf, until } from '../field/field-harness.ts';
import { startOrigin } from './distance/origin.ts';
import { Lab } from './field/lab.ts';

const run = promisify(execFile);
const rounds = Number(process.argv[2] ?? 3);
const MEGABYTES = 48;
const READ_BYTES = 32 << 10;
const WORK_MS = 10;
const NODES = 10;
const ORIGINS = 4;

/** The reads of a boot: places of the image in an order that looks like chance and is the same each time. */
function bootReads(size: number, seed: number): number[] {
  const places = Array.from({ length: Math.floor(size / READ_BYTES) }, (_, i) => i);
  let state = seed;
  for (let i = places.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = state % (i + 1);
    [places[i], places[other]] = [places[other] as number, places[i] as number];
  }
  return places.slice(0, Math.floor(places.length / 7)).map((place) => place * READ_BYTES);
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return Math.round(performance.now() - began) / 1000;
}

function boot(node: Daemon, reads: readonly number[]): Promise<number> {
  const words = reads.flatMap((offset) => ['-c', `read ${offset} ${READ_BYTES}`, '-c', `sleep ${WORK_MS}`]);
  const args = ['-r', '-f', 'raw', ...words, `nbd+unix:///?socket=${node.nbd}`];
  return secondsOf(() => run('qemu-io', args, { maxBuffer: 64 << 20 }));
}

function shape(lab: Lab, host: number): Promise<unknown> {
  const words = ['qdisc', 'add', 'dev', 'eth0', 'root', 'tbf', 'rate', '20mbit', 'burst', '32k', 'limit', '256k'];
  return run('tc', ['-n', lab.namespace(host), ...words]);
}

const results: Record<string, Record<string, number[]>> = { boot: {}, origins: {}, curl: {}, field: {} };

function note(bench: string, name: string, value: number): void {
  const row = results[bench] as Record<string, number[]>;
  row[name] = [...(row[name] ?? []), value];
  process.stdout.write(`${bench} ${name} ${value}\n`);
}

await using field = new FieldTest(MEGABYTES);
{
  using lab = Lab.create(NODES + ORIGINS + 1, undefined);
  const { id, size } = field.image;
  const fast = NODES + ORIGINS;
  const inside = (host: number): string[] => ['ip', 'netns', 'exec', lab.namespace(host)];
  const store = join(field.directory, 'origin.castr');
  await using stack = new AsyncDisposableStack();
  for (let host = NODES; host <= fast; host++) {
    if (host !== fast) await shape(lab, host);
    stack.use(await startOrigin(field, store, `${lab.address(host)}:80`, inside(host)));
  }
  const url = (host: number): string => `http://${lab.address(host)}/`;
  let lives = 0;
  const up = (host: number, args: readonly string[]): Daemon =>
    field.up(['--id', id, ...args], { listen: `${lab.address(host)}:${20_070 + lives++}`, wrapper: inside(host) });

  const reads = bootReads(size, 1);
  const others = bootReads(size, 2).filter((place) => !reads.includes(place));
  const profileOf = (places: readonly number[], name: string): string => {
    const ranges = places.map((start, i) => ({ start, end: start + READ_BYTES, boots: 1, at: i * READ_BYTES }));
    const path = join(field.directory, `${name}.profile`);
    writeFileSync(path, printProfile({ image: id, size, boots: 1, ranges }));
    return path;
  };
  const profiles = {
    without: [],
    right: ['--profile', profileOf(reads, 'right')],
    wrong: ['--profile', profileOf(others, 'wrong')],
  };
  const chunks = readdirSync(store, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.cacnk'));
  const list = join(field.directory, 'urls');
  writeFileSync(list, chunks.map((name) => `url = "${url(fast)}${name}"\noutput = "/dev/null"\n`).join(''));

  for (let round = 0; round < rounds; round++) {
    for (const [name, words] of Object.entries(profiles)) {
      const node = up(0, ['--origin', url(NODES), ...words]);
      await node.ready();
      note('boot', name, await boot(node, reads));
      await node.kill();
    }
    for (const count of [1, ORIGINS]) {
      const from = Array.from({ length: count }, (_, i) => ['--origin', url(NODES + i)]).flat();
      const node = up(0, from);
      await node.ready();
      note('origins', String(count), await secondsOf(() => hashOf(node, 120)));
      await node.kill();
    }
    const node = up(0, ['--origin', url(fast)]);
    await node.ready();
    note('curl', 'viver', await secondsOf(() => hashOf(node, 120)));
    await node.kill();
    const [command = '', ...words] = [...inside(0), 'curl', '-sf', '--parallel', '--parallel-max', '12', '-K', list];
    note('curl', 'curl', await secondsOf(() => run(command, words)));
  }
  const before = lab.sentBytes(NODES);
  const first = lab.address(0);
  const port = 20_070 + lives;
  const nodes = Array.from({ length: NODES }, (_, host) =>
    up(host, ['--origin', url(NODES), ...(host === 0 ? [] : ['--peer', `${first}:${port}`])]),
  );
  await Promise.all(nodes.map((each) => each.ready()));
  await until('all know all', async () => {
    const all = await Promise.all(nodes.map((each) => each.status()));
    return all.every(({ peers }) => peers.length === NODES - 1);
  });
  note('field', 'seconds', await secondsOf(() => Promise.all(nodes.map((each) => hashOf(each, 300)))));
  note('field', 'images', Math.round((1000 * (lab.sentBytes(NODES) - before)) / size) / 1000);
}

const median = (values: readonly number[] = []): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const summary = {
  profileTimesFaster: median(results.boot?.without) / median(results.boot?.right),
  wrongProfileTimesSlower: median(results.boot?.wrong) / median(results.boot?.without),
  fourOriginsTimesOne: median(results.origins?.['1']) / median(results.origins?.['4']),
  ofCurl: median(results.curl?.curl) / median(results.curl?.viver),
  imagesOverTheLink: median(results.field?.images),
};
const root = join(import.meta.dirname, '../..');
mkdirSync(join(root, 'build/bench'), { recursive: true });
const report = {
  megabytes: MEGABYTES,
  rounds,
  load: loadavg(),
  summary,
  results,
  kernel: readFileSync('/proc/version', 'utf8').trim(),
};
writeFileSync(join(root, 'build/bench/distance.json'), `${JSON.stringify(report, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(summary)}\n`);
