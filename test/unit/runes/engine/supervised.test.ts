import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { endLeftovers, supervise } from '../../../../src/runes/engine/supervised.ts';

/** What a plugin's context gives, as far as a program needs it. */
function plugin() {
  const cleanups: (() => void | Promise<void>)[] = [];
  const failed = Promise.withResolvers<Error>();
  const context = {
    defer: (cleanup: () => void | Promise<void>) => void cleanups.push(cleanup),
    fail: (error: Error) => failed.resolve(error),
    log: () => {},
  };
  return { context, cleanups, failed: failed.promise };
}
const shell = (script: string, ...more: string[]) => ({ command: '/bin/sh', args: ['-c', script, 'sh', ...more] });

test('a program ends with its plugin, also one that does not want to', async () => {
  const { context, cleanups } = plugin();
  const ready = Promise.withResolvers<void>();
  const { pid } = await supervise(context, {
    name: 'stubborn',
    ...shell('trap "" TERM; echo ready; while :; do sleep 1; done'),
    graceMs: 20,
    onLine: () => ready.resolve(),
  });
  await ready.promise;
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  for (const cleanup of cleanups) await cleanup();
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});

test('a program that ends by itself fails its plugin, with its last words', async () => {
  const { context, failed } = plugin();
  await supervise(context, { name: 'weak', ...shell('echo one; echo two >&2; exit 3') });
  expect((await failed).message).toMatch(/^weak ended with 3: (one \| two|two \| one)$/);
});

test('a program that is not there is an error at once', async () => {
  const { context } = plugin();
  await expect(supervise(context, { name: 'nobody', command: '/no/such/program', args: [] })).rejects.toThrow(
    'nobody cannot be started',
  );
});

test('what a dead run left is ended by a word of its command line, and nothing else is', async () => {
  const { context, failed } = plugin();
  const other = plugin();
  const word = `--leftover-${process.pid}`;
  await supervise(context, { name: 'leftover', ...shell('while :; do sleep 1; done', word) });
  const { pid, stop } = await supervise(other.context, {
    name: 'other',
    ...shell('while :; do sleep 1; done', `${word}2`),
  });
  await endLeftovers(word);
  expect((await failed).message).toContain('leftover ended with SIGTERM');
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  await stop();
});
