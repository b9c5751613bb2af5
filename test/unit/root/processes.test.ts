import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { endProcesses, type ProcessEntry, readProcesses } from '../../../src/root/processes.ts';

test('processes are told from kernel threads, and storage daemons by their @', () => {
  const proc = mkdtempSync(join(tmpdir(), 'viver-proc-'));
  for (const [pid, cmdline] of [
    ['2', ''],
    ['7', 'sleep\x0060\0'],
    ['8', '@viver-field\0up\0'],
  ] as const) {
    mkdirSync(join(proc, pid));
    writeFileSync(join(proc, pid, 'cmdline'), cmdline);
  }
  mkdirSync(join(proc, '9'));
  mkdirSync(join(proc, 'sys'));
  expect(readProcesses(proc)).toEqual([
    { pid: 7, name: 'sleep', storage: false },
    { pid: 8, name: '@viver-field', storage: true },
  ]);
  rmSync(proc, { recursive: true });
});

test('one that ends is asked, one that does not is killed, one that cannot be is named; others are left alone', async () => {
  const alive = new Map([
    [10, { dies: 'SIGTERM' }],
    [11, { dies: 'SIGKILL' }],
    [12, { dies: 'never' }],
    [13, { dies: 'SIGTERM' }],
    [1, { dies: 'SIGTERM' }],
    [process.pid, { dies: 'SIGTERM' }],
  ]);
  const sent: string[] = [];
  const left = await endProcesses((entry) => !entry.storage, {
    graceMs: 30,
    list: () => [...alive.keys()].map((pid): ProcessEntry => ({ pid, name: `p${pid}`, storage: pid === 13 })),
    kill(pid, signal) {
      sent.push(`${pid} ${signal}`);
      if (alive.get(pid)?.dies === signal) alive.delete(pid);
    },
  });
  expect(left.map((entry) => entry.pid)).toEqual([12]);
  expect(sent).toEqual(['10 SIGTERM', '11 SIGTERM', '12 SIGTERM', '11 SIGKILL', '12 SIGKILL']);
});

test('a real process is seen and ended', async () => {
  const child = spawn('sleep', ['600']);
  const exit = once(child, 'exit');
  const left = await endProcesses((entry) => entry.pid === child.pid, { graceMs: 5000 });
  expect(left).toEqual([]);
  expect(await exit).toEqual([null, 'SIGTERM']);
});
