import { beforeAll, expect, test } from 'vitest';
import { writeSquashfs } from '../../../../src/squashfs/write-squashfs.ts';
import { noise, temporaryFolder } from '../../image/images.ts';
import { entry, file } from '../../squashfs/trees.ts';
import { viver } from '../run-viver.ts';

const folder = temporaryFolder();
const [old, made] = [folder.at('old.sqfs'), folder.at('new.sqfs')];

beforeAll(async () => {
  const root = entry('', 'directory', { mode: 0o755 });
  const kept = file('kept', noise(2_000_000));
  await writeSquashfs([root, kept, file('gone', 'gone'), file('text', 'old')], old, { level: 1 });
  await writeSquashfs([root, kept, file('odd\n', '12345'), file('text', 'newer', { mode: 0o600 })], made, { level: 1 });
  return () => folder[Symbol.dispose]();
});

test('viver image diff: a line for each, and what is shared', async () => {
  const { code, stdout } = await viver('image', 'diff', old, made);
  expect(code).toBe(0);
  const lines = stdout.split('\n');
  expect(lines.slice(0, 4)).toEqual([
    'removed  gone  4 bytes',
    'added    odd\\x0a  5 bytes',
    'changed  text  3 → 5 bytes (content, mode)',
    '1 added, 1 removed, 1 changed; 10 bytes of files are new',
  ]);
  const [, shared = '', size = ''] = /^(\d+) of (\d+) bytes of .* are in chunks that .* has; \d+ of \d+ chunks/.exec(
    lines[4] ?? '',
  ) ?? ['', '', ''];
  expect(Number(shared)).toBeGreaterThan(1_000_000);
  expect(Number(shared)).toBeLessThan(Number(size));
});

test('an image does not differ from itself', async () => {
  const { stdout } = await viver('image', 'diff', made, made);
  expect(stdout).toMatch(/^0 added, 0 removed, 0 changed; 0 bytes of files are new\n.*\(100\.0 %\).*; 0 of \d+ chunks/);
});

test('viver image diff --json: one object a line, the sums last', async () => {
  const { stdout } = await viver('image', 'diff', old, made, '--json');
  const objects = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(objects.slice(0, 3)).toMatchObject([
    { change: 'removed', path: 'gone', kind: 'file', before: { size: 4, mode: '0644' } },
    { change: 'added', path: 'odd\n', kind: 'file', after: { size: 5 } },
    {
      change: 'changed',
      path: 'text',
      what: ['content', 'mode'],
      before: { size: 3 },
      after: { size: 5, mode: '0600' },
    },
  ]);
  const last = objects[3];
  expect(last).toMatchObject({ added: 1, removed: 1, changed: 1, bytes: 10 });
  expect(last.sharedBytes + last.newBytes).toBe(last.size);
});

test('wrong words', async () => {
  expect(await viver('image', 'diff', old)).toMatchObject({ code: 2 });
  expect(await viver('image', 'diff', old, folder.at('nothing.sqfs'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^viver image: cannot open .*nothing\.sqfs: .*\n$/),
  });
});
