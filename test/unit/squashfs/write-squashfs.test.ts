import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { WRITE_COMPRESSORS } from '../../../src/squashfs/compressor.ts';
import type { TreeEntry } from '../../../src/squashfs/entry.ts';
import { SquashfsImage } from '../../../src/squashfs/squashfs-image.ts';
import { writeSquashfs } from '../../../src/squashfs/write-squashfs.ts';
import { noise, sha256, temporaryFolder } from '../image/images.ts';
import { mounted as seenByKernel, unpacked as seenByUnsquashfs } from './judges.ts';
import { content, entry, everyKind, file, manyFiles } from './trees.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let count = 0;
const newPath = (): string => folder.at(`image-${count++}`);
const quick = { level: 1, epoch: 4_294_967_295 } as const;

const mounted = (image: string) => seenByKernel(image, newPath());
const unpacked = (image: string) => seenByUnsquashfs(image, newPath());

function entriesOf(image: string): string[] {
  using opened = new SquashfsImage(image);
  return [...opened.walk()].map(({ path, kind }) => `${kind} ${path.toString('latin1')}`);
}

describe('an image of every kind of entry', () => {
  test.each(WRITE_COMPRESSORS)(
    '%s: the kernel and unsquashfs see the same, and what was written',
    async (compressor) => {
      const image = newPath();
      const report = await writeSquashfs(everyKind(), image, {
        ...quick,
        compressor,
        ...(compressor === 'lz4' && { level: 0 }),
      });
      expect(report).toMatchObject({
        bytes: statSync(image).size,
        clampedTimes: 0,
        sockets: 1,
        attributesLeft: new Map(),
      });
      const seen = mounted(image);
      expect(unpacked(image)).toEqual(seen);
      const wanted = everyKind();
      const parents = ['a', 'a/b', 'a/b/c', 'a/b/c/d', Buffer.from('ünï').toString('latin1')];
      expect(Object.keys(seen).sort()).toEqual(
        [...wanted.map(({ path }) => path.toString('latin1')), ...parents].sort(),
      );
      for (const one of wanted) expect(seen[one.path.toString('latin1')]).toMatchObject(seenAs(one));
      expect(seen['dir/link-to-large']).toMatchObject({ links: 3 });
      expect(seen.dir).toMatchObject({ links: 3 });
    },
  );

  function seenAs(one: TreeEntry): object {
    const types = { directory: '4', file: '10', symlink: '12', block: '6', character: '2', fifo: '1', socket: '14' };
    if (one.kind === 'hardlink') return {};
    return {
      mode: `${types[one.kind]}${one.mode.toString(8).padStart(4, '0')}`,
      owner: `${one.uid}:${one.gid}`,
      mtime: one.mtime,
      ...(one.size !== undefined && { size: one.size }),
      ...(one.target !== undefined && { target: one.target.toString('latin1') }),
    };
  }

  test('bytes that were there before are stored once, holes not at all', async () => {
    const image = newPath();
    await writeSquashfs(everyKind(), image, quick);
    // Twice 3 MiB of noise that cannot be packed (large and nearly-large), two blocks, and a little.
    expect(statSync(image).size).toBeLessThan(6.8 * 1024 * 1024);
    using opened = new SquashfsImage(image);
    const placeOf = (path: string) => opened.find(Buffer.from(path))?.inode.file;
    expect(placeOf('dir/same-as-large')?.start).toBe(placeOf('dir/large')?.start);
    expect(placeOf('dir/nearly-large')?.start).not.toBe(placeOf('dir/large')?.start);
    expect(placeOf('dir/same-as-small')).toMatchObject({ fragmentOffset: placeOf('dir/small')?.fragmentOffset });
    expect([...(placeOf('zeros')?.blocks ?? [])]).toEqual(new Array(9).fill(0));
    expect([...(placeOf('holes')?.blocks ?? [])].filter((size) => size > 0)).toHaveLength(1);
  });

  test('the same bytes with one thread and with four, whatever the time', async () => {
    const hashes = new Set<string>();
    for (const threads of [1, 4]) {
      const image = newPath();
      await writeSquashfs([...everyKind(), ...manyFiles(3000)], image, { level: 3, epoch: 1_700_000_000, threads });
      hashes.add(sha256(readFileSync(image)));
    }
    expect(hashes.size).toBe(1);
  });

  test('no file is later than SOURCE_DATE_EPOCH, and that is no loss to tell of', async () => {
    const image = newPath();
    const report = await writeSquashfs([file('new', 'x', { mtime: 1_800_000_000 })], image, { epoch: 1_700_000_000 });
    using opened = new SquashfsImage(image);
    expect(opened.find(Buffer.from('new'))?.mtime).toBe(1_700_000_000);
    expect(report.clampedTimes).toBe(0);
  });
});

test('100,000 small files', async () => {
  const image = newPath();
  const report = await writeSquashfs(manyFiles(100_000), image, quick);
  expect(report.inodes).toBe(100_102);
  const listed = execFileSync('unsquashfs', ['-l', image], { encoding: 'utf8', maxBuffer: 2 ** 28 })
    .trim()
    .split('\n');
  expect(listed).toHaveLength(100_102);
  const cat = execFileSync('unsquashfs', ['-cat', image, 'many/77/file-77123'], { encoding: 'utf8' });
  expect(cat).toBe('content of file 77123\n');
});

test('entries may come in any order, and a later one takes the place of an earlier', async () => {
  const image = newPath();
  await writeSquashfs(
    [
      file('dir/file', 'first'),
      entry('dir/other', 'hardlink', { target: Buffer.from('dir/file') }),
      file('dir/file', 'second'),
      entry('dir', 'directory', { mode: 0o700 }),
      entry('empty', 'directory'),
      entry('empty', 'symlink', { target: Buffer.from('dir') }),
    ],
    image,
    quick,
  );
  expect(entriesOf(image)).toEqual(['directory ', 'directory dir', 'file dir/file', 'file dir/other', 'symlink empty']);
  const cat = (path: string): string => execFileSync('unsquashfs', ['-cat', image, path], { encoding: 'utf8' });
  expect([cat('dir/file'), cat('dir/other')]).toEqual(['second', 'first']);
  expect(mounted(image).dir).toMatchObject({ mode: '40700' });
});

describe('what squashfs cannot keep is counted', () => {
  test('times before 1970 and after 2106', async () => {
    const image = newPath();
    const entries = [file('old', 'x', { mtime: -5 }), file('late', 'x', { mtime: 2 ** 33 }), file('now', 'x')];
    expect(await writeSquashfs(entries, image, {})).toMatchObject({ clampedTimes: 2 });
    expect(mounted(image)).toMatchObject({ old: { mtime: 0 }, late: { mtime: 0xffff_ffff } });
  });

  test('attributes in other name spaces than user, trusted and security', async () => {
    const attributes = new Map([
      ['system.posix_acl_access', Buffer.from([2, 0, 0, 0])],
      ['user.comment', Buffer.from('kept')],
    ]);
    const report = await writeSquashfs(
      [file('a', 'x', { attributes }), file('b', 'x', { attributes })],
      newPath(),
      quick,
    );
    expect(report.attributesLeft).toEqual(new Map([['system.posix_acl_access', 2]]));
  });
});

describe('no image is left, and the error says why', () => {
  const failing = async (entries: Iterable<TreeEntry>): Promise<string> => {
    const image = newPath();
    const error: unknown = await writeSquashfs(entries, image, quick).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(existsSync(image)).toBe(false);
    return error instanceof Error ? error.message : 'no error';
  };

  test.each([
    ['a/../b', '/a/../b is no path that an image can hold'],
    ['a//b', '/a//b is no path that an image can hold'],
    ['.', '/. is no path that an image can hold'],
    ['a\0b', '/a\\x00b is no path that an image can hold'],
    ['x'.repeat(256), `/${'x'.repeat(256)}: a name of 256 bytes is too long`],
  ])('a path that is none: %j', async (path, message) => {
    expect(await failing([file(path, 'x')])).toBe(message);
  });

  test('a hard link to what is not there', async () => {
    const link = entry('link', 'hardlink', { target: Buffer.from('nothing') });
    expect(await failing([link])).toBe('/link is a hard link to /nothing, which is not there');
  });

  test('something below a file', async () => {
    expect(await failing([file('file', 'x'), file('file/below', 'x')])).toBe(
      '/file/below lies below a file, not a directory',
    );
  });

  test('a symbolic link that Linux could not read', async () => {
    const link = entry('link', 'symlink', { target: Buffer.alloc(5000, 'x') });
    expect(await failing([link])).toBe('/link is a symbolic link of 5000 bytes, Linux takes 4095');
  });

  test('a file that becomes shorter while it is read', async () => {
    const shrinking = entry('file', 'file', { open: () => ({ ...content(noise(400_000)), size: 500_000 }) });
    expect(await failing([shrinking])).toBe(
      '/file became shorter while it was read: 400000 of 500000 bytes were there',
    );
  });

  test('a file that cannot be opened: in its own words', async () => {
    const open = (): never => {
      throw new Error('cannot open /etc/shadow: EACCES');
    };
    expect(await failing([entry('etc/shadow', 'file', { open })])).toBe('cannot open /etc/shadow: EACCES');
  });

  test('a signal', async () => {
    const image = newPath();
    const controller = new AbortController();
    const endless = function* (): Generator<TreeEntry> {
      for (let i = 0; ; i++) {
        if (i === 20) setTimeout(() => controller.abort(new Error('ended by SIGINT')), 10);
        yield file(`file-${i}`, noise(300_000, i));
      }
    };
    const writing = writeSquashfs(endless(), image, { ...quick, signal: controller.signal });
    await expect(writing).rejects.toThrow('ended by SIGINT');
    expect(existsSync(image)).toBe(false);
  });

  test('a full disk', () => {
    const place = newPath();
    const program = join(import.meta.dirname, 'write-to-full-disk.ts');
    const script = 'mkdir "$1" && mount -t tmpfs -o size=1m none "$1" && "$2" "$3" "$1/image" && ls "$1"';
    const args = ['--mount', 'sh', '-ec', script, 'sh', place, process.execPath, program];
    const said = execFileSync('unshare', args, { encoding: 'utf8' });
    expect(said).toBe(`cannot write ${place}/image: ENOSPC: no space left on device, write\n`);
  });
});
