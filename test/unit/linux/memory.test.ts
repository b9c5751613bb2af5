import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMaps, planMemoryLock, planRelease } from '../../../src/linux/memory.ts';
import { isolated } from './isolated.ts';

const MAPS = `00400000-008ae000 r--p 00000000 fe:01 1234                               /usr/bin/node
7fbfb2840000-7fbfb2880000 rw-p 00000000 00:00 0
13370000-1344c000 rw-p 00000000 00:00 0                                  [heap]
7fff2d5d5000-7fff2d5d7000 r-xp 00000000 00:00 0                          [vdso]
7f0000000000-7f0000001000 r--s 00000000 00:01 9                          /a name (deleted)
`;

test('files and the C heap are locked, memory of V8 and the kernel is not', () => {
  expect(planMemoryLock(parseMaps(MAPS))).toEqual([
    { start: 0x400000, end: 0x8ae000, name: '/usr/bin/node' },
    { start: 0x13370000, end: 0x1344c000, name: '[heap]' },
    { start: 0x7f0000000000, end: 0x7f0000001000, name: '/a name (deleted)' },
  ]);
});

test('any other text is no mapping', () => {
  fc.assert(fc.property(fc.string(), (text) => void expect(parseMaps(text)).toEqual([])));
});

test('a process with locked memory does not read in what it never used, and lives through garbage collection', async () => {
  const seen = (await isolated('linux/memory', ['--mount'])) as Record<string, number>;
  expect(seen.lockedKiB).toBeGreaterThan(50_000);
  // The executable alone is over 100 MB.
  expect(seen.grownKiB).toBeLessThan(30_000);
  expect(seen.kept).toBe(200_000);
});

/** One mapping of /proc/PID/smaps. */
const entry = (range: string, mode: string, name: string, anonymousKiB: number): string =>
  `${range} ${mode} 00000000 fe:01 1234                       ${name}
Size:               4280 kB
Rss:                3128 kB
Anonymous:      ${String(anonymousKiB).padStart(8)} kB
LazyFree:              0 kB
VmFlags: rd mr mw me sd
`;

test('let go of is what lies in files as it was read, nothing that was written or could be', () => {
  const smaps = [
    entry('00400000-0082e000', 'r--p', '/init', 0),
    entry('0082e000-03489000', 'r-xp', '/init', 0),
    entry('0735b000-0735c000', 'r--p', '/init', 4),
    entry('0735c000-073da000', 'rw-p', '/init', 0),
    entry('13370000-1344c000', 'rw-p', '[heap]', 900),
    entry('7fbfb2840000-7fbfb2880000', 'r--p', '', 0),
    entry('7f0000000000-7f0000001000', 'r--s', '/shared', 0),
    entry('7fff2d5d5000-7fff2d5d7000', 'r-xp', '[vdso]', 0),
  ].join('');
  expect(planRelease(smaps)).toEqual([
    { start: 0x400000, end: 0x82e000, name: '/init' },
    { start: 0x82e000, end: 0x3489000, name: '/init' },
  ]);
});

test('a process lives on without the pages of its start, and holds fewer', async () => {
  const seen = (await isolated('linux/release', ['--mount'])) as Record<string, number>;
  expect(seen.afterKiB).toBeLessThan(seen.beforeKiB ?? 0);
  expect(seen.kept).toBe(200_000);
});
