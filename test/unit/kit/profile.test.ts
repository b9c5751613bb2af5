import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { forget } from '../../../src/kit/field/profile.ts';
import { temporaryFolder } from '../image/images.ts';
import { viver } from './run-viver.ts';

const TEXT = 'viver-profile 1\nsize 1000000\nboots 1\n0 4096 1 0\n500000 4096 1 4096\n';

test('viver profile merge and show', async () => {
  using folder = temporaryFolder();
  writeFileSync(folder.at('a.profile'), TEXT);
  writeFileSync(folder.at('b.profile'), TEXT.replace('500000', '700000'));
  const merged = await viver(
    'profile',
    'merge',
    folder.at('a.profile'),
    folder.at('b.profile'),
    '-o',
    folder.at('c.profile'),
  );
  expect(merged).toMatchObject({ code: 0 });
  expect(readFileSync(folder.at('c.profile'), 'utf8')).toContain('boots 2\n0 4096 2 0\n500000 4096 1 4096\n');
  const shown = await viver('profile', 'show', folder.at('c.profile'));
  expect(shown.stdout.split('\n')[0]).toMatch(/^█+·+$/);
  expect(shown.stdout).toContain('(1.2 %) in 3 ranges, 2 boots');
});

test('a file that is no profile, and nobody to ask, are one line each', async () => {
  using folder = temporaryFolder();
  writeFileSync(folder.at('a.profile'), '\x1b[2J');
  const bad = await viver('profile', 'show', folder.at('a.profile'));
  expect(bad).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^viver profile: .*a\.profile: no boot profile.*\n$/),
  });
  expect(await viver('profile', 'record', '--control', folder.at('none'))).toMatchObject({ code: 1 });
  expect(await viver('profile', 'merge', folder.at('a.profile'))).toMatchObject({ code: 2 });
  expect(await viver('profile', 'draw')).toMatchObject({ code: 2 });
});

test('of many boots as few are remembered as make what is new count', () => {
  const ranges = [
    { start: 0, end: 1, boots: 310, at: 0 },
    { start: 5, end: 6, boots: 2, at: 1 },
  ];
  const old = { image: undefined, size: 10, boots: 310, ranges };
  expect(forget(old)).toMatchObject({ boots: 31, ranges: [{ start: 0, boots: 31 }] });
  expect(forget({ ...old, boots: 3 })).toMatchObject({ boots: 3 });
});
