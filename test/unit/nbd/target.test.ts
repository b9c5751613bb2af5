import { expect, test } from 'vitest';
import { parseNbdTarget } from '../../../src/nbd/target.ts';

test('a target is a unix socket, a TCP socket or a device', () => {
  expect(parseNbdTarget('unix:/run/nbd.sock')).toEqual({ kind: 'socket', address: { path: '/run/nbd.sock' } });
  expect(parseNbdTarget('tcp:127.0.0.1:10809')).toEqual({
    kind: 'socket',
    address: { host: '127.0.0.1', port: 10809 },
  });
  expect(parseNbdTarget('tcp:[::1]:0')).toEqual({ kind: 'socket', address: { host: '::1', port: 0 } });
  expect(parseNbdTarget('/dev/nbd12')).toEqual({ kind: 'kernel', index: 12 });
  expect(parseNbdTarget('/dev/nbd')).toEqual({ kind: 'kernel', index: undefined });
});

test('anything else is refused by name', () => {
  for (const text of ['', 'unix:', 'tcp:host', 'tcp:host:99999', 'tcp:::1:5', '/dev/nbd0p1', '/dev/sda', 'host:1']) {
    expect(() => parseNbdTarget(text), text).toThrow(`NBD address '${text}'`);
  }
});
