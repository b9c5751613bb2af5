import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stopWatchdogs } from '../../../../src/init/failing/begin-again.ts';

test('a watchdog that runs is told to stop; one that goes on is named, and one that does not run is not started', () => {
  const work = mkdtempSync(join(tmpdir(), 'watchdogs-'));
  expect(stopWatchdogs(join(work, 'none'), work)).toEqual([]);
  for (const [name, state] of [
    ['watchdog0', 'active'],
    ['watchdog1', 'inactive'],
    ['watchdog2', undefined],
  ] as const) {
    mkdirSync(join(work, 'sys', name), { recursive: true });
    if (state !== undefined) writeFileSync(join(work, 'sys', name, 'state'), `${state}\n`);
    writeFileSync(join(work, name), '');
  }
  // These are files: nothing stops.
  expect(stopWatchdogs(join(work, 'sys'), work)).toEqual([
    'watchdog0 cannot be stopped',
    'watchdog2 cannot be stopped',
  ]);
  expect(['watchdog0', 'watchdog1', 'watchdog2'].map((name) => readFileSync(join(work, name), 'utf8'))).toEqual([
    'V',
    '',
    'V',
  ]);
  rmSync(work, { recursive: true });
});
