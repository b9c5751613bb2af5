import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('a storage daemon is not killed for memory and has its code locked, or says what it lacks', () => {
  const module = join(import.meta.dirname, '../../../src/nbd/storage-daemon.ts');
  const script = `
    import { readFileSync } from 'node:fs';
    import { becomeStorageDaemon } from ${JSON.stringify(module)};
    const lacks = [];
    becomeStorageDaemon((line) => lacks.push(line));
    const oom = readFileSync('/proc/self/oom_score_adj', 'utf8').trim();
    const locked = Number(/VmLck:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    console.log(JSON.stringify({ lacks, oom, locked }));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script]).toString();
  const { lacks, oom, locked } = JSON.parse(output) as { lacks: string[]; oom: string; locked: number };
  expect(oom === '-1000' || lacks.some((line) => line.includes('may be killed'))).toBe(true);
  expect(locked > 0 || lacks.some((line) => line.includes('paged out'))).toBe(true);
});

test('a storage daemon that is stopped with all others, as at the end of a machine, answers all the same', async () => {
  const module = join(import.meta.dirname, '../../../src/nbd/storage-daemon.ts');
  const script = `
    import { becomeStorageDaemon } from ${JSON.stringify(module)};
    becomeStorageDaemon(() => {});
    process.stdin.on('data', (data) => process.stdout.write(data));
    process.stdout.write('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const next = async () => String((await once(child.stdout, 'data', { signal: AbortSignal.timeout(20_000) }))[0]);
  try {
    expect(await next()).toBe('ready');
    for (const question of ['one', 'two']) {
      child.kill('SIGSTOP');
      child.stdin.write(question);
      expect(await next()).toBe(question);
    }
  } finally {
    child.kill('SIGKILL');
  }
});
