import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { casyncExtract, makeSquashfs, noise, temporaryFolder } from '../image/images.ts';
import { viver } from './run-viver.ts';

test('viver chunk store makes index and store, from which casync extracts the image', async () => {
  using folder = temporaryFolder();
  await makeSquashfs(folder.at('a.sqfs'), 2_000_000);
  const first = await viver('chunk', 'store', folder.at('a.sqfs'), folder.at('s.castr'));
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/\d+ chunks added, 0 shared, image id sha256:[0-9a-f]{64}\n$/),
  });
  await casyncExtract(folder.at('a.caibx'), folder.at('s.castr'), folder.at('out'));
  expect(Buffer.compare(readFileSync(folder.at('out')), readFileSync(folder.at('a.sqfs')))).toBe(0);
  expect((await viver('chunk', 'store', folder.at('a.sqfs'), folder.at('s.castr'))).stdout).toMatch(
    / 0 chunks added, \d+ shared/,
  );
});

test('a changed image, an index of another one, and a store that cannot be made fail in one line', async () => {
  using folder = temporaryFolder();
  await makeSquashfs(folder.at('a.sqfs'), 500_000);
  await viver('image', 'index', folder.at('a.sqfs'));
  writeFileSync(folder.at('file'), '');
  const blocked = await viver('chunk', 'store', folder.at('a.sqfs'), folder.at('file/s.castr'));
  expect(blocked).toMatchObject({ code: 1, stderr: expect.stringMatching(/^viver chunk: .*ENOTDIR.*\n$/) });
  await makeSquashfs(folder.at('a.sqfs'), 500_000, 2);
  const changed = await viver('chunk', 'store', folder.at('a.sqfs'), folder.at('s.castr'));
  expect(changed).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^viver chunk: .*a\.sqfs: chunk \d+ is not [0-9a-f]{64}\n$/),
  });
  writeFileSync(folder.at('a.sqfs'), noise(4096), { flag: 'a' });
  const longer = await viver('chunk', 'store', folder.at('a.sqfs'), folder.at('s.castr'));
  expect(longer).toMatchObject({ code: 1, stderr: expect.stringContaining('is of an image of') });
  expect(readdirSync(folder.path)).not.toContain('a.sqfs.partial');
});

test.each([[], ['frobnicate'], ['store'], ['store', 'a.sqfs'], ['store', 'a', 'b', 'c'], ['store', 'a', '--b']])(
  'viver chunk %j %j %j %j is wrong usage',
  async (...args) => {
    const words = args.filter((word) => word !== undefined);
    expect(await viver('chunk', ...words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('usage: viver chunk store'),
    });
  },
);

test('the store has the index by id and by name, signature and profile; --prune takes what belongs to older versions', async () => {
  using folder = temporaryFolder();
  const store = folder.at('s.castr');
  await makeSquashfs(folder.at('a.sqfs'), 1_000_000);
  const idOf = async () =>
    /sha256:([0-9a-f]{64})/.exec((await viver('chunk', 'store', folder.at('a.sqfs'), store)).stdout)?.[1];
  writeFileSync(folder.at('a.profile'), 'viver-profile 1\nsize 1\nboots 1\n');
  const old = await idOf();
  expect(readFileSync(`${store}/${old}.caibx`)).toEqual(readFileSync(folder.at('a.caibx')));
  expect(readFileSync(`${store}/a.caibx`)).toEqual(readFileSync(folder.at('a.caibx')));
  expect(readFileSync(`${store}/a.profile`, 'utf8')).toContain('viver-profile');
  await makeSquashfs(folder.at('a.sqfs'), 1_000_000, 2);
  rmSync(folder.at('a.caibx'));
  const next = await idOf();
  expect(existsSync(`${store}/${old}.caibx`)).toBe(true);
  const pruned = await viver('chunk', 'store', folder.at('a.sqfs'), store, '--prune');
  expect(pruned).toMatchObject({ code: 0, stdout: expect.stringMatching(/\d+ chunks, 1 indexes removed/) });
  expect(existsSync(`${store}/${old}.caibx`)).toBe(false);
  expect(existsSync(`${store}/${next}.caibx`)).toBe(true);
  await casyncExtract(folder.at('a.caibx'), store, folder.at('out'));
  expect(readFileSync(folder.at('out')).equals(readFileSync(folder.at('a.sqfs')))).toBe(true);
});

test('what a power cut left in the store is found and made good, unless an index says that it was on the disk', async () => {
  using folder = temporaryFolder();
  const store = folder.at('s.castr');
  await makeSquashfs(folder.at('a.sqfs'), 500_000);
  const { stdout } = await viver('chunk', 'store', folder.at('a.sqfs'), store);
  const id = /sha256:([0-9a-f]{64})/.exec(stdout)?.[1];
  const [torn = ''] = readdirSync(store, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.cacnk'),
  );
  rmSync(`${store}/${id}.caibx`);
  rmSync(`${store}/${torn}`);
  writeFileSync(`${store}/${torn}`, '');
  expect((await viver('chunk', 'store', folder.at('a.sqfs'), store)).stdout).toMatch(/: 1 chunks added/);
  await casyncExtract(folder.at('a.caibx'), store, folder.at('out'));
});
