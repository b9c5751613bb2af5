import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { askAgain, forgetAgain, noteBegun, parseAgain, readAgain, readBegun } from '../../../src/root/again.ts';

const again = { server: '10.0.0.1', commandLine: 'viver.image=class-7 panic=30' };

test('what is asked for is read at the end of the shutdown, by root alone, and only once it was asked', () => {
  const work = mkdtempSync(join(tmpdir(), 'again-'));
  const path = join(work, 'again');
  expect(readAgain(path)).toBeUndefined();
  askAgain(again, path);
  expect([readAgain(path), statSync(path).mode & 0o777]).toEqual([again, 0o600]);
  forgetAgain(path);
  expect(readAgain(path)).toBeUndefined();
  rmSync(work, { recursive: true });
});

test('an old wish, one of another boot, and what no kernel would be given count for nothing', () => {
  const text = '1000 10.0.0.1 viver.image=class-7 panic=30\n';
  expect(parseAgain(text, 1500)).toEqual(again);
  for (const up of [1600, 10, 1e9]) expect(parseAgain(text, up), String(up)).toBeUndefined();
  for (const bad of [
    '',
    '1000 10.0.0.1\n',
    '1000 x a=b\n',
    '1000 10.0.0.1  a\n',
    '1000 10.0.0.1 a\nb\n',
    '1000 10.0.0.1 ä\n',
  ])
    expect(parseAgain(bad, 1000), bad).toBeUndefined();
  expect(parseAgain(`1000 10.0.0.1 ${'a'.repeat(2048)}\n`, 1000)).toBeUndefined();
  expect(() => askAgain({ ...again, commandLine: 'a\nb' }, '/nowhere/at-all')).toThrow('no command line');
});

test('a system that began so knows by whom, and how long it has run itself', () => {
  const work = mkdtempSync(join(tmpdir(), 'begun-'));
  const path = join(work, 'begun-again');
  expect(readBegun(path)).toBeUndefined();
  noteBegun(again, path);
  const { server, atSeconds = 0 } = readBegun(path) ?? {};
  expect(server).toBe(again.server);
  expect(Math.abs(atSeconds - uptime())).toBeLessThan(60);
  rmSync(work, { recursive: true });
});

test('whatever is in the file, it is read or not', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const found = parseAgain(text, uptime());
      expect(found === undefined || found.commandLine.length < 2048).toBe(true);
    }),
  );
});
