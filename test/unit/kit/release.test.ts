import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { makeSquashfs, temporaryFolder } from '../image/images.ts';
import { viver } from './run-viver.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
for (const [name, seed] of [
  ['class-6', 1],
  ['class-7', 2],
] as const) {
  await makeSquashfs(folder.at(`${name}.sqfs`), 300_000, seed);
  await viver('image', 'index', folder.at(`${name}.sqfs`));
}
execFileSync('sh', ['-c', `mkdir keys; minisign -G -W -p keys/k.pub -s k.sec`], { cwd: folder.path, stdio: 'pipe' });
const idOf = async (name: string) =>
  JSON.parse((await viver('image', 'info', folder.at(`${name}.sqfs`), '--json')).stdout).id as string;

describe('viver release', () => {
  test('makes a signed release beside the image, and shows it', async () => {
    const made = await viver(
      ...['release', 'make', folder.at('class-7.sqfs'), '--version', '7', '--name', 'class'],
      ...['--for', 'host:pc-3', '--for', 'role:class,share:10%', '--expires', '2999-01-01T00:00:00Z'],
      ...['--instead', folder.at('class-6.sqfs'), '--secret', folder.at('k.sec')],
    );
    expect(made).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /class-7\.release: class 7, signed by key [0-9A-F]+, until 2999-01-01T00:00:00Z\n$/,
      ),
    });
    const path = folder.at('class-7.release');
    const shown = await viver('release', 'show', path, '--key', folder.at('keys'), '--json');
    expect(JSON.parse(shown.stdout)).toEqual({
      name: 'class',
      version: 7,
      image: { name: 'class-7', id: await idOf('class-7') },
      size: readFileSync(folder.at('class-7.sqfs')).length,
      expires: '2999-01-01T00:00:00Z',
      isExpired: false,
      for: [
        [{ kind: 'host', pattern: 'pc-3' }],
        [
          { kind: 'role', name: 'class' },
          { kind: 'share', percent: 10 },
        ],
      ],
      when: 'reboot',
      instead: { name: 'class-6', id: await idOf('class-6') },
      signature: {
        keyId: expect.stringMatching(/^[0-9A-F]{1,16}$/),
        trustedComment: 'release class 7',
        keyPath: folder.at('keys/k.pub'),
      },
    });
    const text = readFileSync(path, 'utf8');
    writeFileSync(folder.at('changed.release'), text.replace('share:10%', 'share:90%'));
    expect(await viver('release', 'show', folder.at('changed.release'), '--key', folder.at('keys'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the file was changed'),
    });
  });

  test('says that a release is not signed, not checked, or expired', async () => {
    const words = ['release', 'make', folder.at('class-6.sqfs'), '--version', '1'];
    await viver(...words, '--expires', '2001-01-01T00:00:00Z', '-o', folder.at('old.release'));
    const { stdout } = await viver('release', 'show', folder.at('old.release'));
    expect(stdout).toMatch(/^viver release 1\nname: class-6\nversion: 1\n[\s\S]*for: all\nwhen: reboot\nnot signed\n/);
    expect(stdout).toContain('it has expired');
    expect((await viver('release', 'show', folder.at('class-7.release'))).stdout).toContain('not checked');
    expect(await viver('release', 'show', folder.at('old.release'), '--key', folder.at('keys'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not signed'),
    });
  });

  test('what is no release, an image without an index, and an index of another image fail in one line', async () => {
    expect(await viver('release', 'show', folder.at('class-6.caibx'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^viver release: .*class-6\.caibx: no release.*\n$/),
    });
    await makeSquashfs(folder.at('bare.sqfs'), 1000);
    expect(await viver('release', 'make', folder.at('bare.sqfs'), '--version', '1')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^viver release: .*bare\.caibx: .*ENOENT.*\n$/),
    });
    writeFileSync(folder.at('bare.caibx'), readFileSync(folder.at('class-6.caibx')));
    expect(await viver('release', 'make', folder.at('bare.sqfs'), '--version', '1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is of an image of'),
    });
  });

  test.each([
    [],
    ['frobnicate'],
    ['make', 'a.sqfs'],
    ['make', 'a.sqfs', '--version', '0'],
    ['make', 'a.sqfs', '--version', '1', '--for', 'everybody'],
    ['make', 'a.sqfs', '--version', '1', '--expires', 'tomorrow'],
    ['make', 'a.sqfs', '--version', '1', '--json'],
    ['show'],
    ['show', 'a', 'b'],
    ['show', 'a', '--version', '1'],
  ])('viver release %j %j %j %j is wrong usage', async (...args) => {
    const words = args.filter((word) => word !== undefined);
    expect(await viver('release', ...words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('usage: viver release make'),
    });
  });
});
