import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kernelModules } from '../hardware/kernel-tree.ts';
import { temporaryFolder } from '../image/images.ts';

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

test('when the reader of errors has gone, the work is done all the same', () => {
  using folder = temporaryFolder();
  writeFileSync(folder.at('file'), 'x');
  const base = folder.at('old.sqfs');
  const made = spawnSync(process.execPath, [main, 'image', 'create', folder.path, '-o', base, '--no-kernel']);
  expect(made.status).toBe(0);
  // What will be new is told on standard error before anything is packed.
  const words = `image create ${folder.path} -o ${folder.at('x.sqfs')} --no-kernel --base ${base}`;
  const script = `exec 3>&1; { sleep 0.3; "$0" "$1" ${words} 2>&1 >&3; echo "status $?" >&3; } | true`;
  const run = spawnSync('sh', ['-c', script, process.execPath, main], { encoding: 'utf8' });
  expect(run.stdout).toContain('status 0');
  expect(existsSync(folder.at('x.sqfs'))).toBe(true);
});
