import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { planHealthWatch } from '../../../src/init/health-watch.ts';
import { temporaryFolder } from '../image/images.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

/** Runs the watch with files of its own in place of the kernel's. */
async function watch(name: string, seconds: number, isHealthyAfterMs?: number): Promise<{ log: string; keys: string }> {
  const [healthy, log, trigger] = ['healthy', 'log', 'trigger'].map((file) => folder.at(`${name}-${file}`));
  if (healthy === undefined || log === undefined || trigger === undefined) throw new Error('no names');
  const { file, argv0, args } = planHealthWatch({ busybox: '/bin/busybox', healthy, seconds, log, trigger });
  // Process 1 is its own there, so the path below process 1's root is this one.
  const child = spawn('unshare', ['--pid', '--fork', '--mount-proc', file, argv0, ...args], { stdio: 'ignore' });
  if (isHealthyAfterMs !== undefined) setTimeout(() => writeFileSync(healthy, ''), isHealthyAfterMs);
  await new Promise((resolve) => child.once('exit', resolve));
  const text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  return { log: text(log), keys: text(trigger) };
}

test('a new version that becomes healthy goes on', async () => {
  expect(await watch('well', 10, 100)).toEqual({ log: '', keys: '' });
});

test('one that does not starts anew: disks are synchronized and read-only before', async () => {
  const found = await watch('ill', 1);
  expect(found.log).toContain('is not healthy after 1 s: the machine starts anew');
  expect(found.keys).toBe('b\n'); // s and u before it: a file keeps the last one written
});
