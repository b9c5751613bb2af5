import { hasCode } from './errno.ts';
import { call } from './libc.ts';

/** The longest value the kernel takes, include/uapi/linux/limits.h: XATTR_SIZE_MAX. */
const MOST_BYTES = 65_536;

/**
 * An extended attribute, lgetxattr(2): of a link itself, never of what it leads to.
 * @returns undefined when the file has none of that name, or its file system has none at all
 * @throws SyscallError for anything else
 */
export function getXattr(path: string, name: string): Buffer | undefined {
  const value = Buffer.alloc(MOST_BYTES);
  try {
    const length = call('lgetxattr', `${name} of ${path}`, (c) => c.lgetxattr(path, name, value, BigInt(value.length)));
    return value.subarray(0, Number(length));
  } catch (error) {
    if (hasCode(error, 'ENODATA', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}

/** Sets one, lsetxattr(2), whether there was one or not. */
export function setXattr(path: string, name: string, value: Uint8Array): void {
  call('lsetxattr', `${name} of ${path}`, (c) => c.lsetxattr(path, name, value, BigInt(value.length), 0));
}
