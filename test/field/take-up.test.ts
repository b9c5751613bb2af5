import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

test('where /init begins again after a shutdown, it finds what it finds at a start of the kernel', async () => {
  const program = join(import.meta.dirname, 'child/take-up.ts');
  const isolated = ['--mount', '--net', '--propagation', 'private', process.execPath, program];
  const { stdout } = await run('unshare', isolated);
  const commandLine = 'viver.image=next viver.release=class@7';
  expect(JSON.parse(stdout)).toEqual({
    first: 'nothing is asked for',
    // What is on a medium that is still mounted is not deleted.
    kept: ['Error: /run/medium of the system before is mounted', ['file']],
    again: { server: '10.1.2.1', commandLine },
    run: ['viver', 'viver/begun-again', 'viver/cmdline-again'],
    commandLine: `${commandLine}\n`,
    addresses: '',
    link: true,
    shared: false,
  });
});
