import { hash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ownFunction } from '../../../src/linux/libc.ts';
import { sha256 } from '../../../src/linux/sha256.ts';

test('it is what node:crypto computes, of nothing too', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(sha256(bytes).toString('hex')).toBe(hash('sha256', bytes));
    }),
  );
});

test('the function is in this Node, and one that is not there is no error', () => {
  expect(ownFunction('SHA256', { arguments: ['buffer', 'u64', 'buffer'], return: 'pointer' })).toBeTypeOf('function');
  expect(ownFunction('no_such_function', { arguments: [], return: 'void' })).toBeUndefined();
});
