import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeError } from '../../../src/linux/describe-error.ts';
import type { TreeEntry } from '../../../src/squashfs/entry.ts';
import { extractEntries } from '../../../src/squashfs/extract.ts';
import { selectEntries } from '../../../src/squashfs/selection.ts';
import { SquashfsImage } from '../../../src/squashfs/squashfs-image.ts';
import { writeSquashfs } from '../../../src/squashfs/write-squashfs.ts';
import { noise, temporaryFolder } from '../image/images.ts';
import { describeTree, digest } from './describe-tree.ts';
import { mounted } from './judges.ts';
import { entry, everyKind, file } from './trees.ts';

const folder = temporaryFolder();
const everything = folder.at('everything.sqfs');
/** Unpacked: every kind of entry, none of them large. */
const tree = folder.at('tree');
let count = 0;
const newPath = (): string => folder.at(`path-${count++}`);

beforeAll(async () => {
  await writeSquashfs(everyKind(), everything, { level: 1, epoch: 4_294_967_295 });
  const small = newPath();
  await writeSquashfs(smallKinds(), small, { level: 1 });
  execFileSync('unsquashfs', ['-q', '-n', '-d', tree, small], { stdio: 'pipe' });
});
afterAll(() => folder[Symbol.dispose]());

function smallKinds(): TreeEntry[] {
  const small = everyKind().filter(({ size = 0, kind }) => size < 300_000 && kind !== 'hardlink');
  const large = file('large', Buffer.concat([Buffer.alloc(300_000, 'text '), Buffer.alloc(200_000), noise(100_000)]));
  return [...small, large, entry('link-to-large', 'hardlink', { target: Buffer.from('large') })];
}

async function extracted(image: string, paths: readonly string[] = []): Promise<Record<string, unknown>> {
  using opened = new SquashfsImage(image);
  const place = newPath();
  const missing = (path: Buffer): never => {
    throw new Error(`no ${path}`);
  };
  await extractEntries(
    selectEntries(
      opened,
      paths.map((path) => Buffer.from(path)),
      missing,
    ),
    place,
  );
  return describeTree(place);
}

test('what is extracted is what the kernel sees', async () => {
  expect(await extracted(everything)).toEqual(mounted(everything, newPath()));
});

describe('images of other programs, by every compressor', () => {
  const programs: Readonly<Record<string, (compressor: string, image: string) => void>> = {
    mksquashfs: (compressor, image) =>
      void execFileSync('mksquashfs', [tree, image, '-quiet', '-no-progress', '-comp', compressor], { stdio: 'pipe' }),
    gensquashfs: (compressor, image) =>
      void execFileSync('gensquashfs', ['-q', '-k', '-x', '-c', compressor, '-D', tree, image], { stdio: 'pipe' }),
    tar2sqfs: (compressor, image) => {
      const archive = execFileSync('tar', ['-C', tree, '--xattrs', '--xattrs-include=*', '-cf', '-', '.'], {
        maxBuffer: 2 ** 30,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      execFileSync('tar2sqfs', ['-q', '-c', compressor, image], { input: archive, stdio: ['pipe', 'ignore', 'pipe'] });
    },
  };
  const names = ['gzip', 'lzma', 'lzo', 'xz', 'lz4', 'zstd'];
  test.each(Object.keys(programs).flatMap((program) => names.map((name) => [program, name] as const)))(
    '%s, %s',
    (program, compressor) => {
      const image = newPath();
      programs[program]?.(compressor, image);
      using opened = new SquashfsImage(image);
      expect(opened.superblock.compression).toBe(compressor);
      const wanted = describeTree(tree) as Record<string, { content?: string; size?: number }>;
      const contents: Record<string, unknown> = {};
      for (const found of opened.walk()) {
        if (found.kind === 'file') contents[found.path.toString('latin1')] = digest(bytesOf(found));
      }
      expect(Object.keys(contents).length).toBeGreaterThan(15);
      for (const [path, content] of Object.entries(contents))
        expect([path, content]).toEqual([path, wanted[path]?.content]);
    },
  );
});

function bytesOf(found: TreeEntry): Buffer {
  const content = found.open?.();
  if (content === undefined || content instanceof Promise) throw new Error('no content');
  const bytes = Buffer.alloc(content.size);
  for (let done = 0; done < bytes.length; ) {
    const got = content.read(bytes.subarray(done), done);
    if (typeof got !== 'number' || got === 0) throw new Error('cut short');
    done += got;
  }
  return bytes;
}

describe('paths', () => {
  test('only what was asked for, and the directories that lead there', async () => {
    const seen = await extracted(everything, ['dir/small', 'a/b', 'dir/empty']);
    expect(Object.keys(seen).sort()).toEqual(
      ['', 'a', 'a/b', 'a/b/c', 'a/b/c/d', 'a/b/c/d/no-directory-has-an-entry', 'dir', 'dir/empty', 'dir/small'].sort(),
    );
    expect(seen.dir).toMatchObject({ mode: '41777', owner: '1234:4000000000' });
  });

  test('a path below another is there once', async () => {
    expect(Object.keys(await extracted(everything, ['dir/small', 'dir']))).toContain('dir/large');
  });

  test('no link is followed', () => {
    using opened = new SquashfsImage(everything);
    expect(opened.find(Buffer.from('symlink'))?.kind).toBe('symlink');
    expect(opened.find(Buffer.from('symlink/x'))).toBeUndefined();
    expect(opened.find(Buffer.from('dir/..'))).toBeUndefined();
    expect(opened.find(Buffer.from('nothing'))).toBeUndefined();
  });

  test('nothing is made in a directory that holds something', async () => {
    const place = newPath();
    mkdirSync(place);
    symlinkSync('/', join(place, 'dir'));
    using opened = new SquashfsImage(everything);
    await expect(extractEntries(opened.walk(), place)).rejects.toThrow('is not empty');
  });
});

describe('hostile images', () => {
  /** An image in whose one directory of metadata `from` stands, replaced by `to`: nothing there is compressed. */
  function forged(entries: string[], from: Buffer, to: Buffer): string {
    const source = newPath();
    mkdirSync(source);
    for (const name of entries) writeFileSync(join(source, name), name);
    const image = newPath();
    const plain = ['-noI', '-noD', '-noF', '-noX', '-noId', '-no-fragments', '-quiet', '-no-progress'];
    execFileSync('mksquashfs', [source, image, ...plain], { stdio: 'pipe' });
    const bytes = readFileSync(image);
    const at = bytes.lastIndexOf(from);
    expect(at).toBeGreaterThan(0);
    to.copy(bytes, at);
    writeFileSync(image, bytes);
    return image;
  }

  test.each([
    ['../x', 'which is no name'],
    ['a/bb', 'which is no name'],
    ['a\0bb', 'which is no name'],
  ])('a name that leads out: %j', async (name, message) => {
    const image = forged(['name'], Buffer.from('name'), Buffer.from(name));
    const place = newPath();
    using opened = new SquashfsImage(image);
    const error = await extractEntries(opened.walk(), place).then(
      () => undefined,
      (reason: unknown) => describeError(reason),
    );
    expect(error).toContain(message);
    expect(readdirSync(place)).toEqual([]);
    expect(existsSync(join(folder.path, 'x'))).toBe(false);
  });

  test('two entries of one name', () => {
    using opened = new SquashfsImage(forged(['name-a', 'name-b'], Buffer.from('name-b'), Buffer.from('name-a')));
    expect(() => [...opened.walk()]).toThrow('directory / is not in order');
  });

  test('an image that is cut short', () => {
    const image = newPath();
    writeFileSync(image, readFileSync(everything).subarray(0, 1_000_000));
    expect(() => new SquashfsImage(image)).toThrow(/is cut short: 1000000 of \d+ bytes are there/);
  });

  test('what is no image', () => {
    const image = newPath();
    writeFileSync(image, noise(100_000));
    expect(() => new SquashfsImage(image)).toThrow(image);
  });
});

describe('mutated images end in an error or in what they say, never in a crash', () => {
  test.each(['zstd', 'gzip', 'lzo', 'lz4', 'xz', 'plain'])('%s', async (kind) => {
    const image = newPath();
    const small = [
      ...smallKinds(),
      file('two-blocks', noise(20_000)),
      entry('more', 'directory'),
      ...Array.from({ length: 400 }, (_, i) => file(`more/file-${i}`, `content ${i}`)),
    ];
    const ours = newPath();
    await writeSquashfs(small, ours, { level: 1, blockSize: 8192 });
    const unpackedTree = newPath();
    execFileSync('unsquashfs', ['-q', '-n', '-d', unpackedTree, ours], { stdio: 'pipe' });
    const options = kind === 'plain' ? ['-noI', '-noD', '-noF', '-noX'] : ['-comp', kind];
    const words = [unpackedTree, image, ...options, '-b', '8192', '-quiet', '-no-progress'];
    execFileSync('mksquashfs', words, { stdio: 'pipe' });
    const program = join(import.meta.dirname, 'read-mutated.ts');
    // In a process of its own: what C does wrong would end this one.
    const said = execFileSync(process.execPath, [program, image, '150', '1'], { encoding: 'utf8' });
    const { read, refused, megabytes } = JSON.parse(said);
    expect(read + refused).toBe(150);
    expect(refused).toBeGreaterThan(20);
    expect(megabytes).toBeLessThan(400);
  });
});
