import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseLinked, readLinked } from '../../../src/root/linked-files.ts';
import { readStartFiles, startFilesBelow } from '../../../src/root/read-ahead.ts';

test('a program of this machine names its loader and libraries', () => {
  const linked = readLinked('/bin/ls');
  expect(linked?.interpreter).toMatch(/^\/lib\S*\/ld-linux/);
  expect(linked?.needed).toContain('libc.so.6');
  expect(readLinked('/etc/passwd')).toBeUndefined();
});

test('any bytes, and a header with anything in it, are read without an exception', () => {
  const header = Buffer.alloc(4096);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  header.writeUInt16LE(9, 56);
  header.writeUInt8(64, 32);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(100), fc.boolean(), (bytes, at, asElf) => {
      const file = asElf ? Buffer.from(header) : Buffer.from(bytes);
      if (asElf) file.set(bytes, at + 6);
      parseLinked((offset, length) =>
        Number.isSafeInteger(offset + length) ? file.subarray(offset, offset + length) : Buffer.alloc(0),
      );
    }),
  );
});

test('the loader comes right after the program, then the libraries and what those need, each once', async () => {
  const read: string[] = [];
  const files = startFilesBelow('/', (path) => {
    read.push(path);
    return Promise.resolve();
  });
  await readStartFiles('/bin/ls', files);
  expect(read[0]).toMatch(/\/bin\/ls$/);
  expect(read[1]).toMatch(/\/ld-linux|\/ld-[\d.]+/);
  expect(read.some((path) => path.endsWith('/libc.so.6'))).toBe(true);
  expect(new Set(read).size).toBe(read.length);
});

test('what is not there, what is no ELF file and what is too large is passed over', async () => {
  const read: string[] = [];
  await readStartFiles('/init', {
    resolve: (path) => (path.includes('gone') ? undefined : path),
    sizeBytes: (path) => (path.includes('huge') ? 100 << 20 : 1000),
    read: async (path) => void read.push(path),
    linked: (path) =>
      path === '/init'
        ? { interpreter: '/ld', needed: ['gone.so', 'huge.so', 'a.so'], runpath: ['$ORIGIN/own'] }
        : undefined,
  });
  expect(read).toEqual(['/init', '/ld', '/own/a.so']);
});
