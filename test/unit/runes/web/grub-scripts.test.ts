import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GrubScripts } from '../../../../src/runes/web/grub-scripts.ts';

const macOf = (i: number): string =>
  `52:54:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`;

test('machines that a stranger makes up keep no real one from its file, and are not kept for ever', async () => {
  const tftp = mkdtempSync(join(tmpdir(), 'grub-'));
  const directory = join(tftp, 'grub/mac');
  mkdirSync(directory, { recursive: true });
  const scripts = new GrubScripts(tftp);
  try {
    for (let i = 0; i < 300; i++) await scripts.write(macOf(i), async () => `of ${i}`);
    await scripts.write('52:54:00:aa:bb:cc', async () => 'of a real one');
    expect(readFileSync(join(directory, '52:54:00:aa:bb:cc'), 'utf8')).toBe('of a real one');
    // what is taken away goes beside what is written
    await expect.poll(() => readdirSync(directory).length).toBe(256);
    expect(readdirSync(directory)).not.toContain(macOf(0));
  } finally {
    scripts.close();
    rmSync(tftp, { recursive: true });
  }
});

test('a file that could not be made is made when it is asked for again', async () => {
  const tftp = mkdtempSync(join(tmpdir(), 'grub-'));
  mkdirSync(join(tftp, 'grub/mac'), { recursive: true });
  const scripts = new GrubScripts(tftp);
  try {
    await expect(scripts.write(macOf(1), () => Promise.reject(new Error('not yet')))).rejects.toThrow('not yet');
    await scripts.write(macOf(1), async () => 'now');
    expect(readFileSync(join(tftp, 'grub/mac', macOf(1)), 'utf8')).toBe('now');
  } finally {
    scripts.close();
    rmSync(tftp, { recursive: true });
  }
});
