import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { errnoName, hasCode, SyscallError } from '../../../src/linux/errno.ts';

test('a failed call says operation, target, name and meaning', () => {
  const error = new SyscallError('mount', '/dev/vda on /x', 22);
  expect(error.message).toBe('mount /dev/vda on /x: EINVAL (Invalid argument)');
  expect(error).toMatchObject({ op: 'mount', target: '/dev/vda on /x', errno: 22, code: 'EINVAL' });
});

test('an error number without a name stays a number', () => {
  expect(new SyscallError('ioctl', 'x', 4000).message).toBe('ioctl x: errno 4000');
});

test('every number that Node names has one of its names here', () => {
  for (const errno of new Set(Object.values(constants.errno))) {
    const names = Object.entries(constants.errno).flatMap(([name, value]) => (value === errno ? name : []));
    expect(names).toContain(errnoName(errno));
  }
});

test('a number with two names has the one of the kernel headers', () => {
  expect([11, 35, 95].map(errnoName)).toEqual(['EAGAIN', 'EDEADLK', 'EOPNOTSUPP']);
});

test('errors are told by their code, wherever they come from', () => {
  expect(hasCode(new SyscallError('umount', '/x', 16), 'EINVAL', 'EBUSY')).toBe(true);
  expect(hasCode(Object.assign(new Error('open'), { code: 'ENOENT' }), 'ENOENT')).toBe(true);
  expect(hasCode(new Error('open'), 'ENOENT')).toBe(false);
  expect(hasCode('ENOENT', 'ENOENT')).toBe(false);
});
