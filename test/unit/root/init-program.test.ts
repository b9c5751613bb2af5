import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeProgram, whyNotRunnable } from '../../../src/root/init-program.ts';
import { type RootReader, rootReader } from '../../../src/root/root-reader.ts';
import { elf } from './elf.ts';

const decode = (bytes: Uint8Array) => decodeProgram((offset, length) => bytes.subarray(offset, offset + length));

/** A root of programs: text is a script or a link (`-> TARGET`), bytes a program; all are executable. */
function rootOf(files: Readonly<Record<string, Uint8Array | string>>): RootReader {
  const linkOf = (path: string) => {
    const file = files[path];
    return typeof file === 'string' && file.startsWith('-> ') ? file.slice(3) : undefined;
  };
  return {
    link: linkOf,
    kind: (path) => (files[path] === undefined ? undefined : 'executable'),
    bytes: (path, offset, length) => Buffer.from(files[path] ?? '').subarray(offset, offset + length),
  };
}

const why = (files: Parameters<typeof rootOf>[0]) => whyNotRunnable('', '/sbin/init', rootOf(files), 'x64');

test('this Node, as the kernel sees it', () => {
  const bytes = readFileSync(process.execPath);
  expect(decode(bytes)).toMatchObject({
    kind: 'elf',
    bits: 64,
    interpreter: expect.stringMatching(/^\/lib.*ld-linux/),
  });
});

test('a program whose loader is there, also behind a link, and one that needs none', () => {
  const loader = elf({});
  expect(why({ '/sbin/init': elf({}) })).toBeUndefined();
  expect(
    why({
      '/sbin/init': elf({ interpreter: '/lib64/ld-linux-x86-64.so.2' }),
      '/lib64': '-> usr/lib64',
      '/usr/lib64/ld-linux-x86-64.so.2': '-> ../lib/ld.so',
      '/usr/lib/ld.so': loader,
    }),
  ).toBeUndefined();
});

test('32-bit programs of the same family run', () => {
  expect(why({ '/sbin/init': elf({ bits: 32, machine: 3 }) })).toBeUndefined();
  expect(whyNotRunnable('', '/sbin/init', rootOf({ '/sbin/init': elf({ machine: 40, bits: 32 }) }), 'arm64')).toBe(
    undefined,
  );
});

test.each([
  ['another architecture', { '/sbin/init': elf({ machine: 183 }) }, /for arm64, and this machine is x86-64/],
  ['an architecture without a name', { '/sbin/init': elf({ machine: 999 }) }, /another kind \(999\)/],
  [
    'a loader that is missing',
    { '/sbin/init': elf({ interpreter: '/lib/ld.so' }) },
    /loader \/lib\/ld\.so, which is not in/,
  ],
  [
    'a loader of another architecture',
    { '/sbin/init': elf({ interpreter: '/lib/ld.so' }), '/lib/ld.so': elf({ machine: 183 }) },
    /loader \/lib\/ld\.so, which is a program for arm64/,
  ],
  [
    'a script whose interpreter is missing',
    { '/sbin/init': '#! /bin/bash -e\n' },
    /interpreter \/bin\/bash, which is not in/,
  ],
  ['a script of no path', { '/sbin/init': '#!bash\n' }, /names no interpreter/],
  ['a script of itself', { '/sbin/init': '#!/sbin/init\n' }, /script of a script/],
  ['text', { '/sbin/init': 'echo started\n' }, /neither an ELF program nor a script/],
  ['nothing', { '/sbin/init': '' }, /is empty/],
  ['a relocatable file', { '/sbin/init': elf({ type: 1 }) }, /no program/],
] as const)('%s is refused, with the reason', (_what, files, reason) => {
  expect(why(files)).toMatch(reason);
});

test('a script with its interpreter and an argument', () => {
  expect(why({ '/sbin/init': '#!\t/bin/sh -e\nexec x\n', '/bin/sh': elf({}) })).toBeUndefined();
});

test('whatever bytes a file has, there is an answer', () => {
  const damaged = fc
    .tuple(
      fc.constantFrom(elf({ interpreter: '/lib/ld.so' }), elf({ bits: 32, interpreter: '/lib/ld.so' })),
      fc.array(fc.tuple(fc.nat(127), fc.nat(255)), { maxLength: 12 }),
      fc.nat(256),
    )
    .map(([bytes, changes, length]) => {
      const copy = Uint8Array.from(bytes);
      for (const [at, value] of changes) copy[at] = value;
      return copy.subarray(0, length);
    });
  const script = fc.string().map((text) => Buffer.from(`#!${text}`));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), damaged, script), (bytes) => {
      const program = decode(bytes);
      if (program.kind === 'none') expect(program.why).not.toBe('');
      else if (program.interpreter !== undefined) expect(program.interpreter).not.toContain('\0');
    }),
  );
});

test('files are read past their end without an error', () => {
  expect(rootReader.bytes(process.execPath, 2 ** 40, 16)).toHaveLength(0);
  expect(rootReader.bytes(process.execPath, Number.MAX_VALUE, 16)).toHaveLength(0);
});
