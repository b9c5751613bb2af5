import { lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { choosePolicy, parseSelinuxConfig, writtenSince } from '../../../src/root/selinux.ts';

test.each([
  ['SELINUX=enforcing\nSELINUXTYPE=default\n', '', { mode: 'enforcing', type: 'default' }],
  ['# SELINUX=enforcing\n SELINUX = permissive # x\n', 'quiet', { mode: 'permissive', type: 'targeted' }],
  ['SELINUX=permissive\n', 'selinux=1 enforcing=1', { mode: 'enforcing', type: 'targeted' }],
  ['SELINUX=enforcing\n', 'enforcing=0', { mode: 'permissive', type: 'targeted' }],
  ['SELINUX=disabled\n', 'enforcing=1', { mode: 'disabled', type: 'targeted' }],
  ['', 'enforcing=1', { mode: 'disabled', type: 'targeted' }],
] as const)('%j with %j', (text, commandLine, config) => {
  expect(parseSelinuxConfig(text, commandLine)).toEqual(config);
});

test('a policy’s name never leads out of its directory', () => {
  fc.assert(
    fc.property(fc.string(), (type) => {
      expect(parseSelinuxConfig(`SELINUX=enforcing\nSELINUXTYPE=${type}\n`, '').type).toMatch(/^[\w-]+$/);
    }),
  );
});

test('the newest policy that the kernel reads is taken', () => {
  expect(choosePolicy(['policy.31', 'policy.33', 'policy.9', 'policy.35', 'policy.33.bak'], 33)).toBe('policy.33');
  expect(choosePolicy(['policy.35'], 33)).toBeUndefined();
});

test('what was written since is found in the upper layer, what is older is not', () => {
  const upper = mkdtempSync(join(tmpdir(), 'viver-upper-'));
  mkdirSync(join(upper, 'etc/x'), { recursive: true });
  writeFileSync(join(upper, 'etc/x/old'), '');
  writeFileSync(join(upper, 'etc/new'), '');
  const times: Record<string, number> = { old: 1, x: 1, etc: 5, new: 5 };
  const lstat = (path: string) => {
    const ctimeMs = times[path.split('/').at(-1) ?? ''] ?? 0;
    return { ctimeMs, isDirectory: () => lstatSync(path).isDirectory() };
  };
  expect(writtenSince(3, upper, lstat).sort()).toEqual(['/etc', '/etc/new']);
  rmSync(upper, { recursive: true });
});
