import { execFileSync } from 'node:child_process';
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
