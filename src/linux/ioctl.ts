import { addressOf, call } from './libc.ts';

/**
 * ioctl(2).
 * @param op the request's name, for errors: `BLKGETSIZE64`
 * @param argument a number, or the bytes that the kernel reads or fills in
 * @returns what the request returns, 0 or above
 */
export function ioctl(op: string, target: string, fd: number, request: number, argument: number | Uint8Array): number {
  const value = typeof argument === 'number' ? BigInt(argument) : addressOf(argument);
  return call(op, target, (c) => c.ioctl(fd, BigInt(request), value));
}
