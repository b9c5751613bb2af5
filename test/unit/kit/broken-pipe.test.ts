import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kernelModules } from '../hardware/kernel-tree.ts';

const main = join(import.meta.dirname, '../../../src/init/main.ts');

/** What a command says on standard error when its reader has gone, with its exit status at the end. */
function intoNothing(words: string): string {
  const script = `{ sleep 0.3; "$0" "$1" ${words}; echo "status $?" >&2; } | true`;
  const { stderr } = spawnSync('sh', ['-c', script, process.execPath, main], { encoding: 'utf8' });
  return stderr;
}

test.each(['help', 'help image', `explain --modules ${kernelModules()}`])(
  'viver %s | true ends without a word',
  (words) => {
    expect(intoNothing(words)).toBe('status 0\n');
  },
);

test('a reader of errors that has gone is no error either', () => {
  const script = `{ sleep 0.3; "$0" "$1" nonsense 2>&1 >/dev/null; } | true; echo done`;
  const { stdout, stderr } = spawnSync('sh', ['-c', script, process.execPath, main], { encoding: 'utf8' });
  expect([stdout, stderr]).toEqual(['done\n', '']);
});
