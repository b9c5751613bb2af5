import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import bootPackages, { standIn } from '../../../../src/runes/plugins/boot-packages.ts';
import { fakeRoot } from '../fake-root.ts';

const folder = mkdtempSync(join(tmpdir(), 'viver-boot-packages-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('what is installed of them has a stand-in that apt and dpkg find first', async () => {
  const { root, changes } = fakeRoot({
    '/usr/bin/dpkg': '',
    '/usr/sbin/update-grub': '',
    '/usr/sbin/update-initramfs': '',
  });
  await bootPackages.prepare?.(root);
  expect(Object.keys(changes).sort()).toEqual([
    '/etc/apt/apt.conf.d/99viver',
    '/usr/local/lib/viver/boot-packages/update-grub',
    '/usr/local/lib/viver/boot-packages/update-initramfs',
    '/usr/local/sbin/update-grub',
    '/usr/local/sbin/update-initramfs',
  ]);
  expect(changes['/etc/apt/apt.conf.d/99viver']).toContain('DPkg::Path "/usr/local/lib/viver/boot-packages:/usr/sbin:');
});

test('a system without dpkg, or without any of them, is left as it is', async () => {
  for (const image of [{ '/usr/sbin/update-grub': '' }, { '/usr/bin/dpkg': '' }]) {
    const { root, changes } = fakeRoot(image);
    await bootPackages.prepare?.(root);
    expect(changes).toEqual({});
  }
});

test('for a package’s script it says what that means and succeeds; a person, and who installs, gets the program', () => {
  const real = join(folder, 'real');
  writeFileSync(real, '#!/bin/sh\necho "real $*"\n', { mode: 0o755 });
  const script = join(folder, 'stand-in');
  writeFileSync(script, standIn({ name: 'update-grub', at: [real], says: 'no menu.' }), { mode: 0o755 });
  const run = (env: Record<string, string>) =>
    execFileSync('sh', ['-c', `${script} a b 2>&1`], { env: { PATH: '/usr/bin:/bin', ...env }, encoding: 'utf8' });
  expect(run({ DPKG_MAINTSCRIPT_PACKAGE: 'linux-image' })).toBe('update-grub: no menu.\n');
  expect(run({})).toBe('real a b\n');
  expect(run({ DPKG_MAINTSCRIPT_PACKAGE: 'linux-image', VIVER_INSTALLED: '1' })).toBe('real a b\n');
});
