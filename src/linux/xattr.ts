import { hasCode, SyscallError } from './errno.ts';
import { call, cString } from './libc.ts';

/** The longest value and the longest list the kernel gives, include/uapi/linux/limits.h: XATTR_SIZE_MAX, XATTR_LIST_MAX. */
const MOST_BYTES = 65_536;

/**
 * An extended attribute, lgetxattr(2): of a link itself, never of what it leads to.
 * @returns undefined when the file has none of that name, or its file system has none at all
 * @throws SyscallError for anything else
 */
export function getXattr(path: string | Uint8Array, name: string): Buffer | undefined {
  const value = Buffer.alloc(MOST_BYTES);
  const length = attributeOf(path, cString(path), Buffer.from(name), value);
  return length === undefined ? undefined : value.subarray(0, length);
}

function attributeOf(path: string | Uint8Array, cPath: Buffer, name: Uint8Array, into: Buffer): number | undefined {
  try {
    const cName = cString(name);
    const target = (): string => `${String(name)} of ${String(path)}`;
    return Number(callOn('lgetxattr', target, (c) => c.lgetxattr(cPath, cName, into, BigInt(into.length))));
  } catch (error) {
    if (hasCode(error, 'ENODATA', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}

/** Most files have no attribute: what the call was on is put into words only when it failed. */
function callOn<R extends number | bigint>(op: string, target: () => string, fn: Parameters<typeof call<R>>[2]): R {
  try {
    return call(op, '', fn);
  } catch (error) {
    if (error instanceof SyscallError) throw new SyscallError(op, target(), error.errno);
    throw error;
  }
}

let buffers: { readonly list: Buffer; readonly value: Buffer } | undefined;

/**
 * All extended attributes of a file, by their whole names, a character for each byte (latin1): of a link itself.
 * One that goes between the list and the reading is left out.
 * @param path where the last part is a link, the link itself is meant
 * @returns undefined when it has none, or its file system has none at all
 */
export function listXattrs(path: Uint8Array): ReadonlyMap<string, Buffer> | undefined {
  buffers ??= { list: Buffer.alloc(MOST_BYTES), value: Buffer.alloc(MOST_BYTES) };
  const { list, value } = buffers;
  const cPath = cString(path);
  let length: number;
  try {
    length = Number(
      callOn(
        'llistxattr',
        () => String(path),
        (c) => c.llistxattr(cPath, list, BigInt(list.length)),
      ),
    );
  } catch (error) {
    if (hasCode(error, 'EOPNOTSUPP', 'ENOSYS')) return undefined;
    throw error;
  }
  if (length === 0) return undefined;
  const found = new Map<string, Buffer>();
  for (const name of list.toString('latin1', 0, length).split('\0')) {
    if (name === '') continue;
    const bytes = attributeOf(path, cPath, Buffer.from(name, 'latin1'), value);
    if (bytes !== undefined) found.set(name, Buffer.from(value.subarray(0, bytes)));
  }
  return found.size === 0 ? undefined : found;
}

/**
 * Sets one, lsetxattr(2), whether there was one or not.
 * @param name its bytes when it may be of any encoding
 */
export function setXattr(path: string | Uint8Array, name: string | Uint8Array, value: Uint8Array): void {
  const [cPath, cName] = [cString(path), cString(name)];
  const target = (): string => `${String(name)} of ${String(path)}`;
  callOn('lsetxattr', target, (c) => c.lsetxattr(cPath, cName, value, BigInt(value.length), 0));
}
