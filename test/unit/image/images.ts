/** What the tests of image/ and of its commands work on. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ChunkHash } from '../../../src/image/chunk-index.ts';
import type { ImageReader } from '../../../src/image/image-file.ts';

const run = promisify(execFile);

/** A directory that goes when the test does: `using folder = temporaryFolder()`. */
export function temporaryFolder(): Disposable & { readonly path: string; at(name: string): string } {
  const path = mkdtempSync(join(tmpdir(), 'viver-image-'));
  return { path, at: (name) => join(path, name), [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** Bytes that look random and are the same in every run. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed * 2654435761;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** An image in memory. */
export function memoryImage(bytes: Uint8Array, name = 'image'): ImageReader {
  return {
    name,
    size: bytes.length,
    async read(target, offset) {
      if (offset + target.length > bytes.length) throw new Error(`${name} ends before`);
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

/** The .caibx that casync makes of `file`, its chunks in `store`. */
export async function casyncMake(
  file: string,
  index: string,
  store: string,
  sizes = '16384:65536:262144',
  digest: ChunkHash = 'sha256',
): Promise<void> {
  await run('casync', ['make', `--digest=${digest}`, `--chunk-size=${sizes}`, `--store=${store}`, index, file]);
}

export async function casyncExtract(index: string, store: string, output: string): Promise<void> {
  await run('casync', ['extract', `--store=${store}`, index, output]);
}

/** A real squashfs with `sizeBytes` of incompressible content. */
export async function makeSquashfs(path: string, sizeBytes: number, seed = 1): Promise<void> {
  using folder = temporaryFolder();
  mkdirSync(folder.at('tree'));
  writeFileSync(folder.at('tree/noise'), noise(sizeBytes, seed));
  await run('mksquashfs', [folder.at('tree'), path, '-noappend', '-quiet', '-no-progress', '-comp', 'zstd']);
}
