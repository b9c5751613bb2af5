import { closeSync } from 'node:fs';
import { encode, struct, u16le } from '../../codec/struct.ts';
import { SyscallError } from '../errno.ts';
import { call } from '../libc.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const ENAMETOOLONG = 36;
/** sun_path, unix(7), with its NUL. */
const PATH_BYTES = 108;

const family = struct('sockaddr_un', [['family', u16le]]);

/**
 * Connects a stream socket to the unix socket at `path`.
 * @returns the descriptor of a blocking socket that Node knows nothing of, to give to the kernel; the caller closes it
 */
export function connectUnix(path: string): number {
  const name = Buffer.from(`${path}\0`);
  if (name.length > PATH_BYTES) throw new SyscallError('connect', path, ENAMETOOLONG);
  const address = Buffer.concat([encode(family, { family: AF_UNIX }), name]);
  const fd = call('socket', path, (c) => c.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  try {
    call('connect', path, (c) => c.connect(fd, address, address.length));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}
