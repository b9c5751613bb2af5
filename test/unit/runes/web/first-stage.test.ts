import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { parsePart, WebServer } from '../../../../src/runes/web/web-server.ts';

/** What fetches and checks the initrd, of initrd/first-stage.init: BusyBox runs it here as there, with smaller parts. */
const directory = mkdtempSync(join(tmpdir(), 'first-stage-'));
afterAll(() => rmSync(directory, { recursive: true }));
const PART_BYTES = 100_000;
const text = readFileSync(join(import.meta.dirname, '../../../../initrd/first-stage.init'), 'utf8');
const fetching = text.slice(text.indexOf('# --- the initrd\n'), text.indexOf("# --- it takes this one's place"));

const initrd = randomBytes(1_234_567);
writeFileSync(join(directory, 'right'), initrd);
writeFileSync(join(directory, 'wrong'), Buffer.alloc(initrd.length));

/** A machine that gives a file in parts; the parts it was asked for. */
async function giver(file: 'right' | 'wrong', delayMs = 0) {
  const asked: number[] = [];
  const path = join(directory, file);
  const server = new WebServer({
    log: () => {},
    async answer(_, query) {
      const part = parsePart(query.get('bytes'), initrd.length);
      asked.push(part?.start ?? -1);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      return { kind: 'file', path, sizeBytes: initrd.length, ...(part && { part }) };
    },
  });
  const port = await server.listen('127.0.0.1', 0);
  return { host: `127.0.0.1:${port}`, asked, [Symbol.asyncDispose]: () => server.close() };
}

/** @returns what it said; the parts put together are what is right, or it would not end */
async function fetchFrom(hosts: readonly string[]): Promise<string> {
  const work = mkdtempSync(join(directory, 'run-'));
  const sum = createHash('sha256').update(initrd).digest('hex');
  const script = [
    `PART=${PART_BYTES} bytes=${initrd.length} sum=${sum} hosts="${hosts.join(' ')}"`,
    'say() { echo "$*"; }',
    fetching.replaceAll('/tmp', work).replaceAll('sleep 3', 'sleep 0.1').replaceAll('sleep 1\n', 'sleep 0.1\n'),
    `together > ${work}/result`,
  ].join('\n');
  const { stdout } = await promisify(execFile)('busybox', ['sh', '-c', script], { timeout: 50_000 });
  expect(readFileSync(join(work, 'result')).equals(initrd)).toBe(true);
  return stdout;
}

test('several machines give parts at the same time, each part once', async () => {
  await using one = await giver('right', 30);
  await using two = await giver('right', 30);
  expect(await fetchFrom([one.host, two.host])).toMatch(/^the initrd is here and what it should be: 1234567 bytes/);
  const [ones, twos] = [new Set(one.asked), new Set(two.asked)];
  expect(ones.size).toBeGreaterThan(2);
  expect(twos.size).toBeGreaterThan(2);
  // the last part of the slower one may be asked for twice
  expect(one.asked.length + two.asked.length).toBeLessThanOrEqual(Math.ceil(initrd.length / PART_BYTES) + 2);
});

test('a machine that is gone costs nothing but its share', async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', () => resolve()));
  const { port } = gone.address() as { port: number };
  await new Promise((resolve) => gone.close(resolve));
  await using one = await giver('right');
  expect(await fetchFrom([`127.0.0.1:${port}`, one.host])).not.toContain('not all');
});

test('of machines that give something else none is believed, and the right one is found', async () => {
  await using liar = await giver('wrong');
  await using one = await giver('right');
  const said = await fetchFrom([liar.host, one.host]);
  expect(said).toContain(`what ${liar.host} ${one.host} gave is not the initrd`);
  expect(said).toContain(`what ${liar.host} gave is not the initrd`);
  expect(said).toMatch(/the initrd is here and what it should be/);
});

test('a part is what a query says, and only that', () => {
  expect(parsePart('0-10', 100)).toEqual({ start: 0, end: 10 });
  for (const wrong of ['10-10', '0-101', '-5', '5-', 'x', '', '1e1-20', null])
    expect(parsePart(wrong, 100)).toBeUndefined();
});
