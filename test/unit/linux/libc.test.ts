import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { call, cString } from '../../../src/linux/libc.ts';

const LIBC = JSON.stringify(join(import.meta.dirname, '../../../src/linux/libc.ts'));

function runNode(code: string): string {
  const script = `${code.replace('LIBC', LIBC)}`;
  const output = execFileSync('/bin/sh', ['-c', '"$0" --input-type=module -e "$1" 2>&1', process.execPath, script]);
  return output.toString();
}

test('a failing call carries the errno of that call', () => {
  expect(() => call('close', 'descriptor 9999', (c) => c.close(9999))).toThrow(
    'close descriptor 9999: EBADF (Bad file descriptor)',
  );
});

test('a call that works gives its result', () => {
  const F_GETFD = 1;
  expect(call('fcntl', 'standard input', (c) => c.fcntl(0, F_GETFD, 0n))).toBeGreaterThanOrEqual(0);
});

test('importing opens nothing', () => {
  const code = `import LIBC; console.log(process.moduleLoadList.includes('NativeModule ffi'));`;
  expect(runNode(code)).toBe('false\n');
});

test("node:ffi's warning is dropped, and no other", () => {
  const code = `import { libc } from LIBC; libc(); process.emitWarning('another', 'ExperimentalWarning');`;
  const output = runNode(code);
  expect(output).toContain('ExperimentalWarning: another');
  expect(output).not.toContain('FFI');
});

test('a C string ends with NUL and has none inside', () => {
  expect(cString('ä')).toEqual(Buffer.from([0xc3, 0xa4, 0]));
  expect(() => cString('a\0')).toThrow(TypeError);
});
