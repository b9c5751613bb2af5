import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { endingAlone, startWorker } from '../../../src/linux/worker.ts';

const source = join(import.meta.dirname, '../../../src');

test('a thread is started by the name of its file and answers', async () => {
  const worker = startWorker('linux/syscall-worker');
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  worker.once('message', resolve).once('error', reject);
  worker.postMessage({ op: 'umount', target: '/no/such/mount', flags: 0 });
  expect(await promise).toEqual({ op: 'umount', target: '/no/such/mount', errno: 2 });
  await worker.terminate();
});

test('a name without a file is an error event', async () => {
  const worker = startWorker('linux/no-such-worker');
  const { promise, resolve } = Promise.withResolvers<Error>();
  worker.once('error', resolve);
  expect(await promise).toMatchObject({ code: 'MODULE_NOT_FOUND' });
});

test('a thread that fails says why and ends alone, without a word of its process', () => {
  const code = endingAlone(
    "require('node:worker_threads').parentPort.once('message', () => { throw new Error('out of luck'); });",
  );
  const program = `
    const worker = new (require('node:worker_threads').Worker)(${JSON.stringify(code)}, { eval: true });
    worker.on('error', () => console.log('error')).on('exit', (status) => console.log('exit', status));
    worker.postMessage('go');`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'exit 1\n' });
  expect(stderr).toMatch(/^viver: a thread ended: Error: out of luck\n +at /);
});

// The build bundles what this pattern finds; a worker elsewhere would be missing in the executable.
test('every worker entry lies where the build looks for it', () => {
  const entries = globSync('**/*-worker.ts', { cwd: source });
  expect(entries).toContain('linux/syscall-worker.ts');
  for (const entry of entries) expect(entry.split('/'), entry).toHaveLength(2);
});
