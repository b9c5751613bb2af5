import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emptyReport } from '../../../../src/image/sources/report.ts';
import { readTar } from '../../../../src/image/sources/tar/read-tar.ts';
import { TarError } from '../../../../src/image/sources/tar/tar-error.ts';
import { unpacked } from '../../../../src/image/sources/tar/unpack.ts';
import { openView } from '../../../../src/image/sources/tree/view.ts';
import { walkTree } from '../../../../src/image/sources/tree/walk.ts';
import { noise, temporaryFolder } from '../images.ts';
import { type Described, describeAll } from './described.ts';
import { makeOddTree } from './odd-tree.ts';
import { endMark, member, pax } from './tar-members.ts';

const folder = temporaryFolder();
const tree = folder.at('tree');
let walked: Map<string, Described>;
afterAll(() => folder[Symbol.dispose]());

beforeAll(async () => {
  mkdirSync(tree);
  makeOddTree(tree);
  using view = openView({ root: tree, isSystem: false, crossAll: false, asked: [] });
  walked = await describeAll(walkTree({ name: tree, ...view, report: emptyReport() }));
});

/** In pieces of `size` bytes, as a pipe gives them. */
async function* inPieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const read = (bytes: Uint8Array, size?: number) => describeAll(readTar(inPieces(bytes, size), 'x.tar'));

/** Hard links are other names of whichever file came first: compared by what all names lead to. */
function resolved(found: ReadonlyMap<string, Described>, without: readonly (keyof Described)[] = []) {
  const rows = [...found].map(([path, entry]) => {
    const real = entry.kind === 'hardlink' ? found.get(entry.target ?? '') : entry;
    const kept = Object.entries(real ?? {}).filter(([key]) => !without.includes(key as keyof Described));
    return [path, Object.fromEntries(kept)] as const;
  });
  return new Map(rows.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const tar = (...args: string[]): Buffer =>
  execFileSync('tar', ['--sort=name', '-C', tree, '-c', ...args, '.'], {
    maxBuffer: 1e9,
    stdio: ['ignore', 'pipe', 'ignore'],
  });

describe('what GNU tar and bsdtar write of a tree with every kind of file is that tree', () => {
  const everything = ['--xattrs', '--xattrs-include=*'];
  test.each<[string, () => Buffer, (keyof Described)[]]>([
    ['GNU format', () => tar('--format=gnu'), ['attributes']],
    ['GNU format with holes', () => tar('--format=gnu', '-S'), ['attributes']],
    ['the older GNU format', () => tar('--format=oldgnu', '-S'), ['attributes']],
    ['pax', () => tar('--format=pax', ...everything), []],
    ['pax with holes, 0.0', () => tar('--format=pax', '-S', '--sparse-version=0.0', ...everything), []],
    ['pax with holes, 0.1', () => tar('--format=pax', '-S', '--sparse-version=0.1', ...everything), []],
    ['pax with holes, 1.0', () => tar('--format=pax', '-S', '--sparse-version=1.0', ...everything), []],
    ['bsdtar pax', () => bsdtar('pax'), []],
    ['bsdtar gnutar', () => bsdtar('gnutar'), ['attributes']],
  ])('%s', async (_name, make, without) => {
    // bsdtar writes what a file's holes hide as GNU's 1.0 and passes over sockets only
    const bytes = make();
    expect(resolved(await read(bytes), without)).toEqual(resolved(walked, without));
  });

  const bsdtar = (format: string): Buffer =>
    execFileSync('bsdtar', ['-C', tree, '--format', format, '--xattrs', '-cf', '-', '.'], { maxBuffer: 1e9 });

  test('in pieces of any size', async () => {
    const bytes = tar('--format=pax', '-S', '--exclude=./sub/noise', '--exclude=./sub/holes');
    const whole = await read(bytes);
    for (const size of [1, 511, 513, 100_000]) expect(await read(bytes, size)).toEqual(whole);
  });

  test('ustar and v7, of what they can hold', async () => {
    const small = folder.at('small');
    mkdirSync(`${small}/sub`, { recursive: true });
    writeFileSync(`${small}/sub/file`, 'content');
    execFileSync('ln', ['-s', 'file', `${small}/sub/link`]);
    for (const format of ['ustar', 'v7']) {
      const bytes = execFileSync('tar', ['-C', small, `--format=${format}`, '-c', '.']);
      const found = await read(bytes);
      expect([...found].map(([path, { kind }]) => `${path}:${kind}`)).toEqual([
        ':directory',
        'sub:directory',
        'sub/file:file',
        'sub/link:symlink',
      ]);
    }
  });
});

describe('packed tars', () => {
  const streamOf = (bytes: Uint8Array) =>
    readTar(unpacked(Readable.from(inPieces(bytes, 1000), { objectMode: false }), 'x.tar'), 'x.tar');
  const packed = (command: string, bytes: Uint8Array): Buffer =>
    execFileSync('sh', ['-c', command], { input: bytes, maxBuffer: 1e9 });
  const plain = (): Buffer => execFileSync('tar', ['-C', tree, '-c', 'sub', 'text'], { maxBuffer: 1e9 });

  test.each(['cat', 'gzip', 'zstd', 'xz', 'bzip2'])('by %s', async (command) => {
    const bytes = plain();
    expect(await describeAll(streamOf(packed(command, bytes)))).toEqual(await read(bytes));
  });

  test.each(['gzip', 'zstd', 'xz', 'bzip2'])('by %s in two parts, one after the other', async (command) => {
    const bytes = plain();
    const parts = [packed(command, bytes.subarray(0, 10_000)), packed(command, bytes.subarray(10_000))];
    expect(await describeAll(streamOf(Buffer.concat(parts)))).toEqual(await read(bytes));
  });

  test.each(['gzip', 'zstd', 'xz', 'bzip2'])('by %s and cut short: one line that names it', async (command) => {
    const bytes = packed(command, plain());
    await expect(describeAll(streamOf(bytes.subarray(0, bytes.length / 2)))).rejects.toThrow(
      RegExp(`^cannot unpack x.tar by ${command}`),
    );
  });

  test('by a program that is not there', async () => {
    const { PATH } = process.env;
    process.env.PATH = folder.path;
    try {
      await expect(describeAll(streamOf(Buffer.from('LZIP\x01\x0c and more', 'latin1')))).rejects.toThrow(
        'x.tar is packed by lzip, and the program lzip is not installed',
      );
    } finally {
      process.env.PATH = PATH;
    }
  });

  test.each([0, 1, 5])('%i bytes are no tar', async (length) => {
    await expect(describeAll(streamOf(Buffer.alloc(length, 0x42)))).rejects.toThrow(/^x.tar: it is (empty, )?no tar/);
  });
});

describe('what headers say', () => {
  const one = async (...parts: Buffer[]) => [...(await read(Buffer.concat([...parts, endMark])))];

  test('a global header counts for all, one of the member above it', async () => {
    const found = await one(
      pax({ uid: '7', 'SCHILY.xattr.user.a': 'global' }, 'g'),
      member({ name: 'a' }),
      pax({ uid: '8', mtime: '-1.5' }),
      member({ name: 'b' }),
      member({ name: 'c' }),
    );
    expect(found.map(([path, { owner, mtime }]) => [path, owner, mtime])).toEqual([
      ['a', '7:0', 0],
      ['b', '8:0', -2],
      ['c', '7:0', 0],
    ]);
    expect(found[0]?.[1].attributes).toEqual({ 'user.a': 'global' });
  });

  test('attributes as bsdtar and as GNU tar with --selinux write them', async () => {
    const found = await one(
      pax({ 'LIBARCHIVE.xattr.user.%C3%BC': 'AAEC', 'RHT.security.selinux': 'system_u:object_r:etc_t:s0' }),
      member({ name: 'a' }),
    );
    expect(found[0]?.[1].attributes).toEqual({
      'user.\xc3\xbc': '\x00\x01\x02',
      'security.selinux': 'system_u:object_r:etc_t:s0\0',
    });
  });

  test('times far out come as they are', async () => {
    const found = await one(
      pax({ mtime: '99999999999999' }),
      member({ name: 'a' }),
      member({ name: 'b', mtime: -86_400 }),
    );
    expect(found.map(([, { mtime }]) => mtime)).toEqual([99_999_999_999_999, -86_400]);
  });

  test('of two members of one name the later counts', async () => {
    const found = await one(member({ name: 'a', content: 'first' }), member({ name: './a', content: 'the second' }));
    expect(found.map(([path, { size }]) => [path, size])).toEqual([['a', 10]]);
  });

  test('a name from the root is one in the tree', async () => {
    const found = await one(member({ name: '/etc/passwd' }), member({ name: '//etc//./group' }));
    expect(found.map(([path]) => path)).toEqual(['etc/group', 'etc/passwd']);
  });

  test('a size on a link or a directory means nothing', async () => {
    const found = await one(
      member({ name: 'd', type: '5', size: 4096 }),
      member({ name: 'f', content: 'x' }),
      member({ name: 'l', type: '1', linkName: 'f', size: 1 }),
      member({ name: 's', type: '2', linkName: '/f', size: 99 }),
    );
    expect(found.map(([path, { kind, target }]) => [path, kind, target])).toEqual([
      ['d', 'directory', undefined],
      ['f', 'file', undefined],
      ['l', 'hardlink', 'f'],
      ['s', 'symlink', '/f'],
    ]);
  });
});

describe('bad tars end with one line', () => {
  const cut = (bytes: Buffer, at: number): Buffer => bytes.subarray(0, at);
  const file = member({ name: 'file', content: noise(2000).toString('latin1') });
  const whole = Buffer.concat([member({ name: 'dir', type: '5' }), file, endMark]);
  test.each<[string, Buffer, string]>([
    ['what is no tar', noise(5000), 'x.tar: it is no tar'],
    ['nothing', Buffer.alloc(0), 'x.tar: it is empty, no tar'],
    ['cut in a header', cut(whole, 700), 'x.tar: it is cut short in a header'],
    ['cut in the data', cut(whole, 1600), 'x.tar, file: it is cut short: its data ends too early'],
    ['cut in the padding', cut(whole, 3050), 'x.tar, file: it is cut short: its data ends too early'],
    ['cut between two members', cut(whole, 512), 'x.tar: it is cut short: no end mark'],
    ['a damaged header', Buffer.concat([file, noise(512)]), 'x.tar: it is damaged: no header at byte 2560'],
    ['a name that leads out', member({ name: 'a/../../etc/passwd' }), 'which leads out of the tree (..)'],
    ['a link that leads out', member({ name: 'a', type: '1', linkName: '../x' }), 'which leads out of the tree (..)'],
    ['a name with a NUL', Buffer.concat([pax({ path: 'a\0b' }), file]), 'with a NUL in its name'],
    ['a name too long for a file', Buffer.concat([pax({ path: 'n'.repeat(300) }), file]), 'longer than 255 bytes'],
    ['a size beyond the end', member({ name: 'a', size: 2 ** 50 }), 'it is cut short: its data ends too early'],
    ['a size past all numbers', member({ name: 'a', size: 2 ** 60 }), 'its size is 1152921504606847000'],
    ['a size below zero', member({ name: 'a', size: -1 }), 'its size is -1'],
    [
      'a long name without end',
      member({ name: 'x', type: 'L', size: 2 ** 40 }),
      'an extended header of 1099511627776 bytes',
    ],
    ['a pax header without end', member({ name: 'x', type: 'x', size: 2 ** 40 }), 'an extended header of'],
    [
      'a pax header of nonsense',
      member({ name: 'x', type: 'x', content: '99 a=b\n' }),
      'its extended header is damaged',
    ],
    ['a pax size of nonsense', Buffer.concat([pax({ size: '1e3' }), file]), 'its size is no size: "1e3"'],
    ['a user that is none', Buffer.concat([pax({ uid: '4294967296' }), file]), 'its user 4294967296 is none'],
    ['a part of several volumes', member({ name: 'x', type: 'M' }), 'of several volumes'],
    [
      'a map of holes that lies',
      Buffer.concat([pax({ 'GNU.sparse.size': '9000', 'GNU.sparse.map': '0,1000,500,1000' }), file]),
      'the map of its holes is damaged',
    ],
    [
      'a map of more than there is',
      Buffer.concat([pax({ 'GNU.sparse.size': '9000', 'GNU.sparse.map': '0,1000' }), file]),
      'the map of its holes speaks of 1000 bytes, 2000 follow',
    ],
    [
      'a map in front of the data that never ends',
      Buffer.concat([
        pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' }),
        member({ name: 'x', content: '99999999\n' }),
      ]),
      'the map of its holes is too long',
    ],
  ])('%s', async (_what, bytes, message) => {
    const error = await read(bytes).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(TarError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain('\n');
  });

  test('whatever is done to a tar, it is read or refused', async () => {
    rmSync(`${tree}/sub/noise`);
    rmSync(`${tree}/sub/holes`);
    rmSync(`${tree}/sub/all-hole`);
    const seeds = [
      tar('--format=gnu', '-S'),
      tar('--format=pax', '--xattrs', '--xattrs-include=*', '-S'),
      tar('--format=pax', '-S', '--sparse-version=0.1'),
    ];
    const change = fc.record({ at: fc.nat({ max: 100_000 }), value: fc.nat({ max: 255 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 2 }),
        fc.array(change, { maxLength: 8 }),
        fc.option(fc.nat({ max: 100_000 })),
        fc.boolean(),
        async (which, changes, cutAt, repair) => {
          const bytes = Buffer.from(seeds[which] ?? Buffer.alloc(0));
          for (const { at, value } of changes) bytes[at % bytes.length] = value;
          if (repair) for (const { at } of changes) writeChecksum(bytes, at % bytes.length);
          const end = cutAt === null ? bytes.length : cutAt % bytes.length;
          await read(bytes.subarray(0, end)).catch((error: unknown) => {
            if (!(error instanceof TarError)) throw error;
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  /** So that a change is not just a wrong checksum. */
  function writeChecksum(bytes: Buffer, at: number): void {
    const block = bytes.subarray(at - (at % 512), at - (at % 512) + 512);
    if (block.length < 512) return;
    block.fill(' ', 148, 156);
    block.write(
      `${block
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
  }
});
