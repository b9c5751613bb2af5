import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { CHECKOUT } from '../vm/harness/products.ts';

const run = promisify(execFile);

test('make demo: one machine boots from the ISO, two by PXE from it, and they go on when it is switched off', {
  timeout: 1_200_000,
}, async () => {
  const demo = [join(CHECKOUT, 'scripts/demo.ts')];
  const { stdout } = await run(process.execPath, demo, { timeout: 1_100_000 }).catch((error: { stdout?: string }) => {
    throw new Error(`the demo failed:\n${error.stdout}`, { cause: error });
  });
  expect(stdout).toContain('== It works.');
  for (const name of ['machine-2', 'machine-3']) {
    // Kernel and initrd by HTTP; both cards' ROMs are iPXE, so nothing at all by TFTP.
    expect(stdout).toMatch(new RegExp(`${name} {2}got from machine-\\d: [0-9.]+ MB HTTP`));
    expect(stdout).not.toMatch(new RegExp(`${name} .* MB TFTP`));
    expect(stdout).toMatch(new RegExp(`${name} {2}read \\S+: SHA-256 [0-9a-f]{16}… is right`));
  }
});
