import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { noise, sha256, temporaryFolder } from '../image/images.ts';
import { viver } from './run-viver.ts';

const folder = temporaryFolder();
const tree = folder.at('tree');
const made = folder.at('made.sqfs');

beforeAll(async () => {
  mkdirSync(`${tree}/sub`, { recursive: true });
  writeFileSync(`${tree}/sub/noise`, noise(3_000_000));
  writeFileSync(`${tree}/hello`, 'hello');
  expect(await viver('image', 'create', tree, '-o', made, '--no-kernel')).toMatchObject({ code: 0 });
  return () => folder[Symbol.dispose]();
});

/** The image made above and its index under other names, to be spoilt. */
function copyOfMade(name: string): { image: string; index: string } {
  const image = folder.at(`${name}.sqfs`);
  const index = folder.at(`${name}.caibx`);
  copyFileSync(made, image);
  copyFileSync(folder.at('made.caibx'), index);
  return { image, index };
}

function flipByte(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

const idOf = (index: string): string => sha256(readFileSync(index));

describe('viver image create --base', () => {
  test('tells how much will be new, packs as the old image is packed, and tells how much is new', async () => {
    const [old, based] = [folder.at('old.sqfs'), folder.at('based.sqfs')];
    expect(await viver('image', 'create', tree, '-o', old, '--no-kernel', '--level', '2')).toMatchObject({ code: 0 });
    writeFileSync(`${tree}/added`, noise(10_000, 5));
    try {
      const { code, stderr } = await viver('image', 'create', tree, '-o', based, '--no-kernel', '--base', old);
      expect(code).toBe(0);
      expect(stderr).toContain(`1 files of 10 kB are new or changed since ${old}: about 10 kB packed\n`);
      const [, share] = /of \d+ bytes \(([\d.]+) %\) are in chunks that \S+ does not have\n/.exec(stderr) ?? [];
      expect(Number(share)).toBeLessThan(15);
      expect(execFileSync('unsquashfs', ['-s', based], { encoding: 'utf8' })).toContain('compression-level 2\n');
      // The new image may take the old one's place: what is new is told all the same.
      const inPlace = await viver('image', 'create', tree, '-o', old, '--no-kernel', '--base', old);
      expect(inPlace.stderr).toMatch(/^viver image: [1-9]\d* of \d+ bytes .* are in chunks that \S+ does not have$/m);
    } finally {
      rmSync(`${tree}/added`);
    }
  });

  test('what is no image, a FIFO too, is told at once', async () => {
    const fifo = folder.at('fifo.sqfs');
    execFileSync('mkfifo', [fifo]);
    expect(await viver('image', 'create', tree, '-o', folder.at('new.sqfs'), '--base', fifo)).toMatchObject({
      code: 1,
      stderr: `viver image: ${fifo} is neither a file nor a disk: no image\n`,
    });
  });

  test('an output in a folder that is not there is told by its own name', async () => {
    const output = folder.at('nowhere/new.sqfs');
    expect(await viver('image', 'create', tree, '-o', output, '--no-kernel')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        new RegExp(`^viver image: cannot make ${output}: [^/]*${folder.at('nowhere')}[^/]*\n$`),
      ),
    });
  });

  test('an image that cannot be written any more', async () => {
    const old = folder.at('lzo.sqfs');
    execFileSync('mksquashfs', [tree, old, '-comp', 'lzo', '-quiet', '-no-progress'], { stdio: 'pipe' });
    expect(await viver('image', 'create', tree, '-o', folder.at('new.sqfs'), '--base', old)).toMatchObject({
      code: 1,
      stderr: `viver image: ${old} is packed by lzo, which images are made with no more: leave out --base\n`,
    });
  });
});

describe('viver image info', () => {
  test('prints one JSON object with what the image is', async () => {
    const { code, stdout } = await viver('image', 'info', made, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      name: 'made',
      path: made,
      id: idOf(folder.at('made.caibx')),
      size: readFileSync(made).length,
      chunks: (readFileSync(folder.at('made.caibx')).length - 104) / 40,
      compression: 'zstd',
      blockSize: 262144,
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      indexPath: folder.at('made.caibx'),
      signature: null,
    });
  });

  test('prints the same in lines', async () => {
    const { code, stdout } = await viver('image', 'info', made);
    expect(code).toBe(0);
    expect(stdout).toContain(`id           ${idOf(folder.at('made.caibx'))}\n`);
    expect(stdout).toContain('compression  zstd\n');
    expect(stdout).toContain('signature    none\n');
  });

  test('computes the id of an image without an index, and writes nothing', async () => {
    copyFileSync(made, folder.at('bare.sqfs'));
    const { stdout } = await viver('image', 'info', folder.at('bare.sqfs'), '--json');
    expect(JSON.parse(stdout)).toMatchObject({ id: idOf(folder.at('made.caibx')), indexPath: null });
    expect(existsSync(folder.at('bare.caibx'))).toBe(false);
  });

  test('fails on an index of another image', async () => {
    const { image } = copyOfMade('grown');
    writeFileSync(image, noise(4096), { flag: 'a' });
    const { code, stdout, stderr } = await viver('image', 'info', image, '--json');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^viver image: .*grown\.caibx is of an image of \d+ bytes, .*grown\.sqfs has \d+\n$/);
  });
});

describe('viver image verify', () => {
  test('is content with a sound image', async () => {
    const { code, stdout, stderr } = await viver('image', 'verify', made, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const id = idOf(folder.at('made.caibx'));
    expect(JSON.parse(stdout)).toMatchObject({ name: 'made', path: made, id, indexPath: folder.at('made.caibx') });
    expect((await viver('image', 'verify', made)).stdout).toMatch(`${made}: verified, id sha256:${id}, `);
    expect(await viver('image', 'verify', made, '--id', id.toUpperCase())).toMatchObject({ code: 0 });
  });

  test.each<[string, (files: { image: string; index: string }) => void, RegExp]>([
    [
      'a changed byte',
      ({ image }) => flipByte(image, 1_500_000),
      /is not what its index says: chunk \d+ of \d+, bytes \d+ to \d+, differs/,
    ],
    [
      'a truncated image',
      ({ image }) => truncateSync(image, 1_000_000),
      /image truncated: 1000000 of \d+ bytes are there/,
    ],
    ['no squashfs', ({ image }) => writeFileSync(image, noise(100_000)), /no squashfs image: wrong magic number/],
    ['a corrupt superblock', ({ image }) => flipByte(image, 14), /squashfs superblock corrupt: block size/],
    ['an index cut short', ({ index }) => truncateSync(index, 200), /bad chunk index: cut short/],
    ['a changed index', ({ index }) => flipByte(index, 80), /is not what its index says: chunk 0/],
    ['an index that is something else', ({ index }) => writeFileSync(index, noise(1000)), /bad chunk index/],
    ['no index', ({ index }) => execFileSync('rm', [index]), /\.caibx: ENOENT/],
  ])('fails on %s, in one line', async (_what, spoil, message) => {
    const files = copyOfMade('spoilt');
    spoil(files);
    const { code, stdout, stderr } = await viver('image', 'verify', files.image);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^viver image: .*\n$/);
  });

  test('fails on another id than the wanted one', async () => {
    const { code, stderr } = await viver('image', 'verify', made, '--id', '0'.repeat(64));
    expect(code).toBe(1);
    expect(stderr).toMatch(/made\.caibx: chunk index is [0-9a-f]{64}, wanted 0{64}/);
  });

  test('checks the signature by the keys of a directory', async () => {
    const { image, index } = copyOfMade('signed');
    mkdirSync(folder.at('keys'));
    mkdirSync(folder.at('no-keys'));
    const secret = folder.at('k.sec');
    execFileSync('minisign', ['-G', '-W', '-p', folder.at('keys/k.pub'), '-s', secret], { stdio: 'pipe' });
    expect((await viver('image', 'verify', image, '--key', folder.at('keys'))).stderr).toMatch('minisig');
    execFileSync('minisign', ['-S', '-s', secret, '-m', index, '-t', 'by me'], { stdio: 'pipe' });

    const { code, stdout } = await viver('image', 'verify', image, '--key', folder.at('keys'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout).signature).toMatchObject({ trustedComment: 'by me', keyPath: folder.at('keys/k.pub') });
    expect(JSON.parse((await viver('image', 'info', image, '--json')).stdout).signature).toMatchObject({
      path: `${index}.minisig`,
      trustedComment: 'by me',
    });
    expect((await viver('image', 'verify', image)).stderr).toMatch('was not checked: no --key DIR');

    const unknown = await viver('image', 'verify', image, '--key', folder.at('no-keys'));
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('which is not among the known ones') });
    flipByte(index, 80);
    const changed = await viver('image', 'verify', image, '--key', folder.at('keys'));
    expect(changed).toMatchObject({ code: 1, stderr: expect.stringContaining('the file was changed') });
  });
});

describe('viver image index', () => {
  test('makes the index anew', async () => {
    copyFileSync(made, folder.at('again.sqfs'));
    const { code, stdout } = await viver('image', 'index', folder.at('again.sqfs'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      id: idOf(folder.at('made.caibx')),
      indexPath: folder.at('again.caibx'),
    });
    expect(idOf(folder.at('again.caibx'))).toBe(idOf(folder.at('made.caibx')));
  });
});

describe('viver image create', () => {
  test('prints what it made', async () => {
    const { stdout } = await viver('image', 'create', tree, '-o', folder.at('new.sqfs'), '--json', '--no-kernel');
    expect(JSON.parse(stdout)).toMatchObject({ name: 'new', id: idOf(folder.at('new.caibx')) });
    expect(readdirSync(folder.path).filter((name) => name.startsWith('new'))).toEqual(['new.caibx', 'new.sqfs']);
  });

  test.each([
    ['/nonexistent/tree', 'cannot read /nonexistent/tree'],
    ['debian:', "'' is no name of a Debian suite"],
    [import.meta.dirname, 'has no kernel with modules (there: none): others cannot boot from such an image'],
  ])('fails clearly on %s', async (source, message) => {
    const { code, stderr } = await viver('image', 'create', source, '-o', folder.at('x.sqfs'));
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(existsSync(folder.at('x.sqfs'))).toBe(false);
  });
});

describe('viver image', () => {
  test.each([
    [],
    ['frobnicate', 'x.sqfs'],
    ['constructor', 'x.sqfs'],
    ['info'],
    ['info', 'a.sqfs', 'b.sqfs'],
    ['info', 'a.sqfs', '--key', 'x'],
    ['info', 'a.sqfs', '--frobnicate'],
    ['verify', 'a.sqfs', '--id', 'xyz'],
    ['create', 'tree'],
    ['create', 'tree', '-o'],
    ['create', 'tree', '-o', 'image.img'],
    ['create', 'tree', '-o', 'an image.sqfs'],
    ['create', '-o', 'x.sqfs'],
    ['create', 'tree', '-o', 'x.sqfs', '--level', '0'],
    ['create', 'tree', '-o', 'x.sqfs', '--level', '3.5'],
    ['info', 'a.sqfs', '--level', '3'],
  ])('%j %j %j %j is wrong usage', async (...args) => {
    const words = args.filter((word) => word !== undefined);
    const { code, stdout, stderr } = await viver('image', ...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^viver image: .*\nusage: viver image create/);
  });

  test('tells how it is used', async () => {
    const { code, stdout } = await viver('image', '--help');
    expect(code).toBe(0);
    expect(stdout).toContain('viver image verify NAME.sqfs');
  });
});

describe('viver image sign', () => {
  test('minisign and viver image verify take its signature', async () => {
    const { image, index } = copyOfMade('to-sign');
    mkdirSync(folder.at('sign-keys'));
    const [pub, secret] = [folder.at('sign-keys/me.pub'), folder.at('me.sec')];
    execFileSync('minisign', ['-G', '-W', '-p', pub, '-s', secret], { stdio: 'pipe' });
    const result = await viver('image', 'sign', image, '--secret', secret, '--comment', 'room 12');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(`to-sign.caibx.minisig: signed by key `);
    expect(result.stdout).toMatch(`, id sha256:${idOf(index)}\n`);
    const said = execFileSync('minisign', ['-V', '-p', pub, '-m', index], { encoding: 'utf8' });
    expect(said).toContain('Trusted comment: room 12');
    const verified = await viver('image', 'verify', image, '--key', folder.at('sign-keys'));
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    expect(verified.stdout).toContain('(room 12)');
  });

  test('what cannot be signed is one line, and an earlier signature stays', async () => {
    const { image, index } = copyOfMade('not-signed');
    const secret = folder.at('me.sec');
    writeFileSync(`${index}.minisig`, 'before');
    writeFileSync(folder.at('text.sec'), 'no key');
    const other = copyOfMade('other-size');
    truncateSync(other.image, 3_000_000);
    const cases: readonly (readonly [string[], number, RegExp])[] = [
      [[image], 2, /sign needs --secret FILE/],
      [[image, '--secret', folder.at('missing.sec')], 1, /missing\.sec/],
      [[image, '--secret', folder.at('text.sec')], 1, /text\.sec: no minisign secret key: not its two lines\n$/],
      [[image, '--secret', secret, '--comment', 'two\nlines'], 1, /a trusted comment is one line of text\n$/],
      [[other.image, '--secret', secret], 1, /other-size/],
    ];
    for (const [words, code, line] of cases) {
      const result = await viver('image', 'sign', ...words);
      expect(result.code, words.join(' ')).toBe(code);
      expect(result.stderr).toMatch(line);
      if (code === 1) expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
    }
    expect(readFileSync(`${index}.minisig`, 'utf8')).toBe('before');
    expect(existsSync(`${other.index}.minisig`)).toBe(false);
  });
});
