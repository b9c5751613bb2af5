import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startProgram } from '../../../../src/runes/engine/supervised.ts';
import { WaitingProgram } from '../../../../src/runes/engine/waiting-program.ts';

const LONG_MS = 600_000;

async function waiting(script: string, patienceMs = LONG_MS) {
  const said: string[] = [];
  const program = await startProgram({ name: 'early', command: '/bin/sh', args: ['-c', script] }, 'pipe');
  const { child } = program;
  const ended = once(child, 'close');
  const isThere = () => child.exitCode === null && child.signalCode === null && existsSync(`/proc/${child.pid}`);
  return { child, ended, isThere, said, held: new WaitingProgram(program, patienceMs, (line) => said.push(line)) };
}

test('who takes it has it alone, and it is ended by nobody else', async () => {
  const { child, ended, held, isThere, said } = await waiting('read line; echo "$line"', 100);
  expect(held.take()?.child).toBe(child);
  expect(held.take()).toBeUndefined();
  await held.end();
  await sleep(150);
  expect(isThere()).toBe(true);
  child.stdin?.end('told\n');
  expect(await once(child.stdout as NodeJS.ReadableStream, 'data')).toEqual([Buffer.from('told\n')]);
  await ended;
  expect(said).toEqual([]);
});

test('nobody comes for it: it is ended, once, and said so', async () => {
  const { ended, held, said } = await waiting('read line', 20);
  expect((await ended)[1]).toBe('SIGTERM');
  expect(held.take()).toBeUndefined();
  await held.end();
  expect(said).toEqual(['early: nobody needed it in 0.02 s, it is ended']);
});

test('its plugin stops: it is ended', async () => {
  const { held, isThere, said } = await waiting('read line');
  await Promise.all([held.end(), held.end()]);
  expect([isThere(), held.take(), said]).toEqual([false, undefined, []]);
});

test('it ends by itself before anybody takes it: its last words are told, and there is none to take', async () => {
  const { ended, held, said } = await waiting('echo "no such key" >&2; exit 3', 500);
  await ended;
  await expect.poll(() => said).toEqual(['early ended with 3: no such key']);
  expect(held.take()).toBeUndefined();
  await held.end();
  await sleep(600);
  expect(said).toHaveLength(1);
});

test('it dies just as it is told what to do: that costs nobody else anything', async () => {
  const { child, ended, held } = await waiting('read line');
  const taken = held.take();
  child.kill('SIGKILL');
  await ended;
  taken?.child.stdin?.end('told\n');
  await sleep(50);
});
