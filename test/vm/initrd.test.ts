import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, expect, test } from 'vitest';
import { checkoutAt } from '../../src/kit/initrd/kit-files.ts';
import { makeInitrd } from '../../src/kit/initrd/make-initrd.ts';
import { BUILD, product } from './harness/products.ts';

const ROOT = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'viver-initrd-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Executable and initrd, made in a folder of their own. */
async function build(name: string): Promise<{ readonly executable: string; readonly initrd: string }> {
  const viver = join(folder, name, 'viver');
  const initrd = join(folder, name, 'initrd.cpio');
  execFileSync(process.execPath, [join(ROOT, 'scripts/executable.ts'), viver], { stdio: 'pipe' });
  const kit = { ...checkoutAt(ROOT), executable: viver };
  await makeInitrd({ kit, tree: join(BUILD, 'kernel'), output: initrd, compression: 'none' });
  return { executable: await sha256(viver), initrd: await sha256(initrd) };
}

test('the same sources give the same executable and the same initrd, wherever they are built', async () => {
  expect(await build('here')).toEqual(await build('a/longer/path/elsewhere'));
}, 300_000);

/** Calls a function so often, waits for V8's threads, and says whether the interpreter still has it (runtime-test.cc of V8). */
const INTERPRETED_AFTER = (calls: number) => `
  require('node:v8').setFlagsFromString('--allow-natives-syntax');
  const f = new Function('n', 'return n + 1');
  for (let n = 0; n < ${calls}; n++) f(n);
  setTimeout(() => { f(1); console.log('interpreted ' + new Function('f', 'return %ActiveTierIsIgnition(f)')(f)); }, 500);
`;

test('what a boot runs a few times is not compiled to machine code, what goes on and on is', () => {
  const run = (calls: number) => {
    const input = `${INTERPRETED_AFTER(calls).replaceAll('\n', ' ')}\n`;
    const said = execFileSync(product('viver'), ['javascript'], { input, encoding: 'utf8' });
    return /interpreted (\w+)/.exec(said)?.[1];
  };
  expect([run(3000), run(3_000_000)]).toEqual(['true', 'false']);
});
