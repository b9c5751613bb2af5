import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PageCacheView } from '../../../src/linux/page-cache.ts';
import { temporaryFolder } from '../image/images.ts';

const PAGE = 4096;

/** Written to the disk, and out of memory again (dd, nocache). */
function coldFile(path: string, bytes: number): void {
  execFileSync('dd', ['if=/dev/urandom', `of=${path}`, `bs=${bytes}`, 'count=1', 'conv=fsync', 'status=none']);
  execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']);
}

const includes = (ranges: readonly { start: number; end: number }[], offset: number): boolean =>
  ranges.some(({ start, end }) => start <= offset && offset < end);

test('what is read of a file lies in memory, to its last byte, and to look brings nothing in', () => {
  using folder = temporaryFolder();
  const path = folder.at('image');
  const size = (70 << 20) + 123;
  coldFile(path, size);
  using view = new PageCacheView(path, size);
  const before = [...view.resident()].flat();
  expect([...view.resident()].flat()).toEqual(before);
  const fd = openSync(path, 'r');
  for (const offset of [0, 65 << 20, size - 1]) readSync(fd, Buffer.alloc(1), 0, 1, offset);
  closeSync(fd);
  const after = [...view.resident()].flat();
  for (const offset of [0, (65 << 20) + 5, size - 1]) expect(includes(after, offset)).toBe(true);
  expect(after.at(-1)?.end).toBe(size);
  for (const { start, end } of after) expect([start % PAGE, end === size || end % PAGE === 0]).toEqual([0, true]);
  expect(after.map(({ start }) => start)).toEqual(after.map(({ start }) => start).sort((a, b) => a - b));
});

test('a file that is not there is named, and one that is let go of is not looked at', () => {
  expect(() => new PageCacheView('/nonexistent/image', 5)).toThrow(/nonexistent/);
  using folder = temporaryFolder();
  coldFile(folder.at('image'), PAGE);
  const view = new PageCacheView(folder.at('image'), PAGE);
  view[Symbol.dispose]();
  view[Symbol.dispose]();
  expect(() => [...view.resident()].flat()).toThrow(/not looked at any more/);
});
