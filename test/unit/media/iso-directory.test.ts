import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { probeBytes } from '../../../src/media/content/probe.ts';
import { hasDirectory } from '../../../src/media/iso-directory.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-iso-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function iso(name: string, paths: readonly string[]): Buffer {
  const tree = join(folder, name);
  mkdirSync(tree);
  for (const path of paths) {
    mkdirSync(join(tree, path, '..'), { recursive: true });
    writeFileSync(join(tree, path), path);
  }
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-r', '-J', '-o', `${tree}.iso`, tree], { stdio: 'pipe' });
  return readFileSync(`${tree}.iso`);
}

test('a directory in the root is found in any case, a file or a directory further down is not', () => {
  const many = Array.from({ length: 300 }, (_, i) => `a-file-that-makes-the-root-long-${i}`);
  expect(probeBytes(hasDirectory('viver'), iso('a', ['viver/small.sqfs']))).toBe(true);
  expect(probeBytes(hasDirectory('VIVER'), iso('b', [...many, 'viver/small.sqfs']))).toBe(true);
  expect(probeBytes(hasDirectory('viver'), iso('c', ['live/viver/small.sqfs', 'viver2/x']))).toBe(false);
  expect(probeBytes(hasDirectory('viver'), iso('d', ['viver']))).toBe(false);
});

test('any bytes give an answer, never an error', () => {
  const sound = iso('e', ['viver/x']);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(64 * 1024), fc.nat(255)), { maxLength: 30 }),
      fc.array(fc.tuple(fc.integer({ min: 32_768, max: 32_768 + 190 }), fc.nat(255)), { maxLength: 10 }),
      fc.nat(sound.length),
      (changes, inDescriptor, length) => {
        const bytes = Uint8Array.from(sound.subarray(0, length));
        for (const [at, value] of [...changes, ...inDescriptor]) if (at < bytes.length) bytes[at] = value;
        expect(typeof probeBytes(hasDirectory('viver'), bytes)).toBe('boolean');
      },
    ),
  );
});
