/** What a daemon has in memory, left to the next one of the same machine (`viver roll change`). */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FieldTest, hashOf, until } from './field-harness.ts';

test('a daemon that is told to leaves what it has in memory, and the next one fetches nothing of that', async () => {
  await using field = new FieldTest(24);
  const directory = join(field.directory, 'carried');
  const words = ['--carried', directory];
  const holder = field.holder();
  await holder.ready();

  const first = field.joiner([holder], words);
  await first.ready();
  expect(await hashOf(first)).toBe(field.image.sha256);
  mkdirSync(directory);
  expect(await first.stop()).toBe(0);
  expect(first.log()).toMatch(/2[0-9.]+ MB of the image are left to the next system/);
  expect(readdirSync(directory)).toContain('index.caibx');

  // It dies while it takes things over: what is left is for the one that a supervisor starts.
  const second = field.joiner([holder], words);
  await second.ready();
  await second.kill();
  expect(existsSync(directory)).toBe(true);

  const third = field.joiner([holder], words);
  await third.ready();
  expect(await hashOf(third)).toBe(field.image.sha256);
  const { traffic } = await third.status();
  expect(traffic.fromPeers / field.image.size).toBeLessThan(0.5);
  await until('all is in memory', async () => !existsSync(directory));

  // The machine ends for good: nobody made the directory.
  expect(await third.stop()).toBe(0);
  expect(existsSync(directory)).toBe(false);
}, 300_000);

test('a daemon that has the image on a medium, or keeps chunks in a directory, takes nothing over', async () => {
  await using field = new FieldTest(1);
  const daemon = field.holder(['--carried', join(field.directory, 'carried')]);
  await expect(daemon.ready()).rejects.toThrow('--carried is for a node that keeps its chunks in memory');
});
