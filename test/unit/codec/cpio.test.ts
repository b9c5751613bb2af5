import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CpioEntry, cpioArchive } from '../../../src/codec/cpio.ts';

/** Names that cpio keeps as they are: it strips leading slashes and takes `..` as a way out. */
const name = fc.stringMatching(/^[a-z0-9 _+\-ä\n]{1,30}$/).filter((text) => !text.startsWith('-'));
const mtimeSeconds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const entry = fc.oneof(
  fc.record({
    name,
    mtimeSeconds,
    mode: fc.constantFrom(0o100644, 0o100755, 0o100400),
    data: fc.uint8Array({ maxLength: 3000 }),
  }),
  fc.record({ name, mtimeSeconds, mode: fc.constant(0o040755) }),
  fc.record({ name, mtimeSeconds, mode: fc.constant(0o120777), data: name.map((text) => Buffer.from(text)) }),
);
const entries = fc.uniqueArray(entry, { selector: (each) => each.name, maxLength: 12 });

const archive = (list: readonly CpioEntry[]): Buffer => Buffer.concat([...cpioArchive(list)]);

test.each([
  ['cpio', ['-id', '--quiet', '--preserve-modification-time']],
  ['bsdtar', ['-xf', '-']],
])('%s unpacks what was packed', (program, words) => {
  fc.assert(
    fc.property(entries, (list) => {
      const directory = mkdtempSync(join(tmpdir(), 'cpio-'));
      try {
        execFileSync(program, words, { cwd: directory, input: archive(list), stdio: ['pipe', 'pipe', 'pipe'] });
        for (const { name: path, mode, mtimeSeconds: seconds, ...rest } of list) {
          const data = 'data' in rest ? Buffer.from(rest.data) : undefined;
          const stat = lstatSync(join(directory, path));
          expect(stat.mode & 0o170000).toBe(mode & 0o170000);
          if (stat.isSymbolicLink()) expect(readlinkSync(join(directory, path))).toBe(data?.toString());
          else if (stat.isFile()) {
            expect(stat.mode).toBe(mode);
            expect(stat.mtimeMs).toBe(seconds * 1000);
            expect(readFileSync(join(directory, path)).equals(data ?? Buffer.alloc(0))).toBe(true);
          }
        }
      } finally {
        execFileSync('chmod', ['-R', 'u+rwX', directory]);
        rmSync(directory, { recursive: true });
      }
    }),
    { numRuns: 15 },
  );
});

test('every part begins at a multiple of four bytes, and the archive is whole blocks', () => {
  fc.assert(
    fc.property(entries, (list) => {
      const bytes = archive(list);
      expect(bytes.length % 512).toBe(0);
      expect(bytes.includes('TRAILER!!!')).toBe(true);
      for (let at = bytes.indexOf('070701'); at >= 0; at = bytes.indexOf('0707010000', at + 6)) expect(at % 4).toBe(0);
    }),
  );
});

test('a device node says which it is', () => {
  const console = { name: 'console', mode: 0o020600, mtimeSeconds: 0, device: { major: 5, minor: 1 } };
  const listed = execFileSync('cpio', ['-itv', '--quiet'], { input: archive([console]), encoding: 'utf8' });
  expect(listed).toMatch(/^crw-------\s.*\s5,\s+1 .* console\n$/);
});

test('what does not fit the format is refused', () => {
  expect(() => archive([{ name: 'late', mode: 0o100644, mtimeSeconds: 2 ** 32 }])).toThrow('cpio: late');
});
