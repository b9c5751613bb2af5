import { call } from './libc.ts';

/** Its number is the same on all architectures, include/uapi/asm-generic/unistd.h. */
const SYS_OPEN_TREE = 428n;
const AT_FDCWD = -100n;
/** include/uapi/linux/mount.h */
const OPEN_TREE_CLONE = 1n;
const OPEN_TREE_CLOEXEC = 0o2000000n;

/**
 * A private view of the file system at `path`, open_tree(2): the same files without what is mounted over them, seen by
 * nobody else, and gone when the descriptor is closed. Names below it are reached through /proc/self/fd.
 * @throws SyscallError EPERM without CAP_SYS_ADMIN, ENOSYS before Linux 5.2, EINVAL where mounts below are locked
 *   (mount_namespaces(7))
 */
export function cloneMount(path: string): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  return Number(call('open_tree', path, (c) => c.syscall(SYS_OPEN_TREE, AT_FDCWD, path, flags)));
}
