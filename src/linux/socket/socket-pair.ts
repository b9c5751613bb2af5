import { decode, i32le, struct } from '../../codec/struct.ts';
import { call } from '../libc.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;

const pair = struct('socket pair', [
  ['first', i32le],
  ['second', i32le],
]);

/**
 * Two connected stream sockets, socketpair(2): one for a `new net.Socket({ fd })`, one to give to the kernel.
 * @returns their descriptors, blocking; the caller closes both
 */
export function socketPair(): { first: number; second: number } {
  const descriptors = new Uint8Array(pair.size);
  call('socketpair', 'unix stream', (c) => c.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, descriptors));
  return decode(pair, descriptors);
}
