import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, expect, test } from 'vitest';
import { checkoutAt } from '../../src/kit/initrd/kit-files.ts';
import { makeInitrd } from '../../src/kit/initrd/make-initrd.ts';
import { endingAlone } from '../../src/linux/worker.ts';
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
async function build(
  name: string,
  shell: NodeJS.ProcessEnv = {},
): Promise<{ readonly executable: string; readonly initrd: string }> {
  const viver = join(folder, name, 'viver');
  const initrd = join(folder, name, 'initrd.cpio');
  execFileSync(process.execPath, [join(ROOT, 'scripts/executable.ts'), viver], {
    stdio: 'pipe',
    env: { ...process.env, ...shell },
  });
  const kit = { ...checkoutAt(ROOT), executable: viver };
  await makeInitrd({ kit, tree: join(BUILD, 'kernel'), output: initrd, compression: 'none' });
  return { executable: await sha256(viver), initrd: await sha256(initrd) };
}

test('the same sources give the same executable and the same initrd, wherever and by whomever they are built', async () => {
  const shell = { NODE_OPTIONS: '--enable-source-maps', NODE_DEBUG: 'sea', TZ: 'Asia/Tokyo', LC_ALL: 'de_DE.UTF-8' };
  expect(await build('here')).toEqual(await build('a/longer/path/elsewhere', shell));
}, 1_200_000);

/**
 * Calls a function so often and says whether the interpreter still has it (runtime-test.cc of V8): at the latest after
 * `waits` looks, half a second apart, since V8 compiles on threads of its own.
 */
const interpretedAfter = (calls: number, waits: number): string => `
  require('node:v8').setFlagsFromString('--allow-natives-syntax');
  const f = new Function('n', 'return n + 1');
  for (let n = 0; n < ${calls}; n++) f(n);
  const isInterpreted = new Function('f', 'return %ActiveTierIsIgnition(f)');
  let left = ${waits};
  const look = () => { f(1); if (--left > 0 && isInterpreted(f)) setTimeout(look, 500); else console.log('interpreted ' + isInterpreted(f)); };
  setTimeout(look, 500);
`;

test('what a boot runs a few times is not compiled to machine code, what goes on and on is', () => {
  const run = (calls: number, waits: number) => {
    const input = `${interpretedAfter(calls, waits).replaceAll('\n', ' ')}\n`;
    const said = execFileSync(product('viver'), ['javascript'], { input, encoding: 'utf8' });
    return /interpreted (\w+)/.exec(said)?.[1];
  };
  expect([run(3000, 4), run(3_000_000, 120)]).toEqual(['true', 'false']);
});

test('SIGUSR1 opens no debugging port in the executable', () => {
  const input = `process.kill(process.pid, 'SIGUSR1'); setTimeout(() => console.log('goes on'), 1000);\n`;
  const { stdout, stderr } = spawnSync(product('viver'), ['javascript'], { input, encoding: 'utf8' });
  expect(stdout).toContain('goes on');
  expect(stdout + stderr).not.toContain('Debugger');
});

test('a thread of the executable that fails does not take the process along', () => {
  const code = endingAlone("throw new Error('out of luck');");
  const input = `new (require('node:worker_threads').Worker)(${JSON.stringify(code)}, { eval: true })
    .on('exit', (status) => console.log('thread ended', status)); setTimeout(() => console.log('goes on'), 3000);`;
  const words = { input: `${input.replaceAll('\n', ' ')}\n`, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(product('viver'), ['javascript'], words);
  expect(stdout).toMatch(/thread ended 1\n[\s\S]*goes on/);
  expect(stderr).toMatch(/^viver: a thread ended: [\s\S]*Error: out of luck/);
  expect(status).toBe(0);
});
