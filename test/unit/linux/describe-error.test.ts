import { expect, test } from 'vitest';
import { describeError } from '../../../src/linux/describe-error.ts';

test('causes follow on one line, from what failed to why', () => {
  const error = new Error('verify a.sqfs', { cause: new Error('read failed', { cause: new Error('EIO') }) });
  expect(describeError(error)).toBe('verify a.sqfs: read failed: EIO');
});

test('what a message says already is not said twice, and no line break is left', () => {
  expect(describeError(new Error('open x: ENOENT', { cause: new Error('ENOENT') }))).toBe('open x: ENOENT');
  expect(describeError('a\n  b')).toBe('a b');
});

test('the error that came first is told before those of what was to be undone', () => {
  const error = new SuppressedError(new Error('umount: EBUSY'), new Error('mount: ENODEV'));
  expect(describeError(error)).toBe('mount: ENODEV (then: umount: EBUSY)');
});
