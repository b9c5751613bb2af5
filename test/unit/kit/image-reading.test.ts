import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeSquashfs } from '../../../src/squashfs/write-squashfs.ts';
import { temporaryFolder } from '../image/images.ts';
import { entry, file } from '../squashfs/trees.ts';
import { viver } from './run-viver.ts';

const folder = temporaryFolder();
const made = folder.at('made.sqfs');

beforeAll(async () => {
  const entries = [
    entry('', 'directory', { mode: 0o755 }),
    entry('bin', 'directory', { mode: 0o755 }),
    file('bin/su', 'su', { mode: 0o4755, uid: 5, gid: 6 }),
    entry('bin/sh', 'hardlink', { target: Buffer.from('bin/su') }),
    file('odd\n\u001b[2J', 'odd'),
    file(Buffer.from('\xff', 'latin1'), 'bytes'),
    entry('link', 'symlink', { target: Buffer.from('bin/su'), mode: 0o777 }),
    entry('null', 'character', { device: { major: 1, minor: 3 }, mode: 0o666 }),
  ];
  await writeSquashfs(entries, made, { level: 1 });
  return () => folder[Symbol.dispose]();
});

describe('viver image ls', () => {
  test('a line for each entry, whatever its name is', async () => {
    const { code, stdout } = await viver('image', 'ls', made);
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'drwxr-xr-x 0/0 0 2020-09-13 12:26 /',
      'drwxr-xr-x 0/0 0 2020-09-13 12:26 bin',
      '-rwsr-xr-x 5/6 2 2020-09-13 12:26 bin/sh',
      'hrwsr-xr-x 5/6 2 2020-09-13 12:26 bin/su link to bin/sh',
      'lrwxrwxrwx 0/0 0 2020-09-13 12:26 link -> bin/su',
      'crw-rw-rw- 0/0 1,3 2020-09-13 12:26 null',
      '-rw-r--r-- 0/0 3 2020-09-13 12:26 odd\\x0a\\x1b[2J',
      '-rw-r--r-- 0/0 5 2020-09-13 12:26 \ufffd',
      '',
    ]);
  });

  test('only what is at and below a path, and JSON that loses no byte of a name', async () => {
    const { stdout } = await viver('image', 'ls', made, '/bin/', '--json');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
      'directory bin',
      'file bin/sh',
      'hardlink bin/su',
    ]);
    const all = (await viver('image', 'ls', made, '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(all.at(-1)).toMatchObject({ pathBase64: Buffer.from('\xff', 'latin1').toString('base64'), size: 5 });
  });

  test('a path that is not there', async () => {
    expect(await viver('image', 'ls', made, 'nothing')).toMatchObject({
      code: 1,
      stderr: `viver image: ${made}: there is no nothing in it (links are not followed)\n`,
    });
  });
});

test('viver image cat writes files one after another', async () => {
  expect(await viver('image', 'cat', made, 'bin/su', '/bin/sh')).toEqual({ code: 0, stdout: 'susu', stderr: '' });
  expect(await viver('image', 'cat', made, 'bin')).toMatchObject({
    code: 1,
    stderr: `viver image: ${made}: bin is a directory, not a file\n`,
  });
  expect(await viver('image', 'cat', made)).toMatchObject({ code: 2 });
});

describe('viver image extract', () => {
  test('makes what was asked for', async () => {
    const place = folder.at('out');
    expect(await viver('image', 'extract', made, 'bin', '-C', place)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(`${place}/bin/su`, 'utf8')).toBe('su');
    expect(existsSync(`${place}/null`)).toBe(false);
  });

  test('as an ordinary user: what can be, and a line for each kind of thing that only root can keep', () => {
    const place = folder.at('as-nobody');
    const program = folder.at('extract.mjs');
    const main = import.meta.resolve('../../../src/kit/main.ts');
    const script = `import { runCommand } from '${main}'; process.exitCode = await runCommand(process.argv.slice(2));`;
    execFileSync('sh', ['-c', `cat > ${program}; chmod -R a+rX ${folder.path}; mkdir -m 777 ${place}`], {
      input: script,
    });
    const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, program];
    const words = [...user, 'image', 'extract', made, '-C', `${place}/out`];
    execFileSync('sh', ['-c', `setpriv "$@" 2> ${folder.at('said')}`, 'sh', ...words]);
    expect(readFileSync(folder.at('said'), 'utf8').split('\n').sort()).toEqual([
      '',
      'viver image: 1 devices left out: only root can keep them',
      'viver image: 1 set-user-id and set-group-id bits left out: only root can keep them',
    ]);
    expect(readFileSync(`${place}/out/bin/sh`, 'utf8')).toBe('su');
  });

  test('needs to be told where', async () => {
    expect(await viver('image', 'extract', made)).toMatchObject({ code: 2 });
  });
});
