import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { COMMANDS } from '../../../../src/kit/main.ts';
import { completion, SHELLS } from '../../../../src/kit/manual/completion.ts';
import { commandPage, mainPage } from '../../../../src/kit/manual/man-page.ts';
import { commandWords, usageParts } from '../../../../src/kit/manual/usage.ts';
import { VERSION } from '../../../../src/runes/version.ts';
import { viver } from '../run-viver.ts';

const folder = mkdtempSync(join(tmpdir(), 'viver-manual-'));
afterAll(() => rmSync(folder, { recursive: true }));
const facts = { version: '1.2', date: '2026-11-27' };

test('viver --version', async () => {
  expect(await viver('--version')).toEqual({ code: 0, stdout: `viver ${VERSION}\n`, stderr: '' });
});

test.each(COMMANDS.map((command) => [command.name, command] as const))(
  'the page of viver %s has its usage, and man has nothing to say against it',
  (name, command) => {
    const path = join(folder, `viver-${name}.1`);
    writeFileSync(path, commandPage(command, facts));
    const environment = { ...process.env, MANWIDTH: '400', MANROFFOPT: '-ww', LC_ALL: 'C.UTF-8' };
    // What groff warns of goes to standard error.
    const shown = execFileSync('sh', ['-c', 'man --warnings -l "$0" 2>&1 | col -b', path], {
      encoding: 'utf8',
      env: environment,
    });
    expect(shown).not.toMatch(/warning|error:/);
    const plain = (text: string): string => text.replaceAll(/\s+/g, ' ');
    const { synopsis, description } = usageParts(command.usage);
    expect(synopsis.length).toBeGreaterThan(0);
    for (const line of synopsis) expect(plain(shown)).toContain(plain(line));
    expect(plain(shown)).toContain(plain(description).trim());
    expect(shown).toContain(command.summary);
  },
);

test('the page of viver names every command', () => {
  const page = mainPage(COMMANDS, facts);
  for (const { name } of COMMANDS) expect(page).toContain(`.BR viver\\-${name.replaceAll('-', '\\-')} (1)`);
});

const words = COMMANDS.map(commandWords);
const wordsOf = (name: string) => words.find((each) => each.name === name);

test('actions and options are those of the usage', () => {
  expect(wordsOf('image')?.actions).toEqual(
    expect.arrayContaining(['create', 'info', 'verify', 'ls', 'cat', 'extract']),
  );
  expect(wordsOf('stick')).toMatchObject({
    actions: [],
    options: ['--yes', '--any-disk', '--new', '--boot', '--help'],
  });
  expect(wordsOf('initrd')?.options).toEqual(
    expect.arrayContaining(['-o', '--kernel', '--root', '--compress', '--add']),
  );
});

/** What bash offers for the last of these words. */
function bashOffers(...typed: string[]): string[] {
  const path = join(folder, 'viver.bash');
  writeFileSync(path, completion('bash', words));
  const script = `. "${path}"; COMP_WORDS=(viver ${typed.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${typed.length}; _viver; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', cwd: folder }).split('\n').filter(Boolean);
}

test('bash completes commands, actions, options and files', () => {
  expect(bashOffers('st')).toEqual(['stick', 'status']);
  expect(bashOffers('image', 'c')).toEqual(expect.arrayContaining(['create', 'cat']));
  expect(bashOffers('stick', '--a')).toEqual(['--any-disk']);
  writeFileSync(join(folder, 'school.sqfs'), '');
  expect(bashOffers('stick', 'sch')).toEqual(['school.sqfs']);
});

test.each(SHELLS)('%s takes its completion', (shell) => {
  const path = join(folder, `completion.${shell}`);
  writeFileSync(path, completion(shell, words));
  execFileSync(shell, ['-n', path], { stdio: 'pipe' });
});

test('fish completes commands and options', () => {
  const path = join(folder, 'completion.fish');
  const ask = (line: string) =>
    execFileSync('fish', ['--no-config', '-c', `source ${path}; complete -C '${line}'`], {
      encoding: 'utf8',
      env: { ...process.env, HOME: folder },
    });
  expect(ask('viver sti')).toMatch(/^stick\twrite images to a stick/m);
  expect(ask('viver stick --any')).toMatch(/^--any-disk/m);
  expect(ask('viver image cre')).toMatch(/^create/m);
});
