/** Trees in memory, for what the squashfs writer makes of them. */
import type { EntryKind, FileContent, TreeEntry } from '../../../src/squashfs/entry.ts';
import { noise } from '../image/images.ts';

const MIB = 1024 * 1024;
const TIME = 1_600_000_000;

/** A file whose bytes are in memory. */
export function content(bytes: Buffer): FileContent {
  return {
    size: bytes.length,
    read(into, offset) {
      // Less than was asked for at times, as a pipe gives it.
      const part = bytes.subarray(offset, offset + Math.min(into.length, 100_000));
      into.set(part);
      return part.length;
    },
    close() {},
  };
}

export function entry(path: string | Buffer, kind: EntryKind, more: Partial<TreeEntry> = {}): TreeEntry {
  return { path: Buffer.from(path), kind, mode: 0o644, uid: 0, gid: 0, mtime: TIME, ...more };
}

export function file(path: string | Buffer, bytes: Buffer | string, more: Partial<TreeEntry> = {}): TreeEntry {
  const all = Buffer.from(bytes);
  return entry(path, 'file', { size: all.length, open: () => content(all), ...more });
}

/** 64 MiB of which 5 bytes are data, in a hole that `nextData` knows of. */
function sparseFile(path: string): TreeEntry {
  const size = 64 * MIB;
  const data = Buffer.from('DATA!');
  const at = 33 * MIB + 17;
  const open = (): FileContent => ({
    size,
    read(into, offset) {
      into.fill(0);
      if (at >= offset && at < offset + into.length) into.set(data.subarray(0, offset + into.length - at), at - offset);
      return Math.min(into.length, size - offset);
    },
    nextData: (offset) => (offset <= at + data.length ? Math.max(offset, Math.floor(at / 4096) * 4096) : size),
    close() {},
  });
  return entry(path, 'file', { size, open });
}

/** Linux' struct vfs_ns_cap_data, revision 2: cap_net_raw permitted and effective. */
export const CAP_NET_RAW = Buffer.from('0100000200200000000000000000000000000000', 'hex');

/** Every kind of entry, odd names, attributes, links, holes, duplicates. */
export function everyKind(): TreeEntry[] {
  const large = noise(3 * MIB + 12_345);
  return [
    entry('', 'directory', { mode: 0o755, mtime: TIME + 1 }),
    entry('dir', 'directory', { mode: 0o1777, uid: 1234, gid: 4_000_000_000 }),
    file('dir/large', large, { mode: 0o4755 }),
    file('dir/same-as-large', large),
    file('dir/nearly-large', Buffer.concat([large.subarray(0, 3 * MIB), Buffer.from('other')])),
    file('dir/empty', ''),
    file('dir/small', 'a few bytes\n', { uid: 33, gid: 33, mode: 0o600 }),
    file('dir/same-as-small', 'a few bytes\n'),
    file('dir/exactly-a-block', noise(256 * 1024, 7)),
    file('dir/one-less', noise(256 * 1024 - 1, 8)),
    file('zeros', Buffer.alloc(2 * MIB + 5)),
    file('small-zeros', Buffer.alloc(5000)),
    sparseFile('holes'),
    entry('dir/link-to-large', 'hardlink', { target: Buffer.from('dir/large') }),
    entry('other-link', 'hardlink', { target: Buffer.from('dir/link-to-large') }),
    entry('symlink', 'symlink', { target: Buffer.from('dir/../dir/small'), mode: 0o777 }),
    entry('long-symlink', 'symlink', { target: Buffer.alloc(4095, 'x'), mode: 0o777 }),
    entry('odd-symlink', 'symlink', { target: Buffer.from('\xff\xfe\n', 'latin1'), mode: 0o777 }),
    entry('fifo', 'fifo', { mode: 0o620 }),
    entry('socket', 'socket'),
    entry('linked-fifo', 'hardlink', { target: Buffer.from('fifo') }),
    entry('null', 'character', { device: { major: 1, minor: 3 }, mode: 0o666 }),
    entry('disk', 'block', { device: { major: 259, minor: 70_000 }, mode: 0o660, gid: 6 }),
    file(Buffer.from('not-\xff-utf8', 'latin1'), 'odd'),
    file('new\nline', 'odd'),
    file(' space and "quotes" \\ ', 'odd'),
    file('ünï/cödé', 'odd'),
    file(`${'n'.repeat(255)}`, 'long'),
    file('a/b/c/d/no-directory-has-an-entry', 'x'),
    file('attributes', 'x', {
      attributes: new Map([
        ['user.comment', Buffer.from('hello')],
        ['security.capability', CAP_NET_RAW],
        ['trusted.secret', Buffer.from([0, 255, 1])],
        ['user.large', noise(4000)],
      ]),
    }),
    entry('dir/with-attributes', 'directory', {
      mode: 0o700,
      attributes: new Map([['user.comment', Buffer.from('hello')]]),
    }),
    file('old', 'x', { mtime: 0 }),
    file('late', 'x', { mtime: 0xffff_ffff }),
  ];
}

/** `count` small files in directories of a thousand. */
export function* manyFiles(count: number): Generator<TreeEntry> {
  for (let i = 0; i < count; i++) yield file(`many/${Math.floor(i / 1000)}/file-${i}`, `content of file ${i}\n`);
}
