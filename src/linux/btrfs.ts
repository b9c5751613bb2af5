import { closeSync, constants, openSync } from 'node:fs';
import { ioctl } from './ioctl.ts';

/** include/uapi/linux/btrfs.h: BTRFS_IOC_SCAN_DEV with a struct btrfs_ioctl_vol_args, a number and a path. */
const SCAN_DEV = 0x5000_9404;
const ARGUMENT_BYTES = 4096;
const PATH_AT = 8;
const CONTROL = '/dev/btrfs-control';

/**
 * Makes a device known to btrfs, which mounts a file system over several devices only when it knows them all.
 * @throws SyscallError, or node:fs's error when the module is not loaded
 */
export function registerBtrfsDevice(path: string): void {
  const argument = new Uint8Array(ARGUMENT_BYTES);
  argument.set(Buffer.from(path).subarray(0, ARGUMENT_BYTES - PATH_AT - 1), PATH_AT);
  const fd = openSync(CONTROL, constants.O_RDWR);
  try {
    ioctl('BTRFS_IOC_SCAN_DEV', path, fd, SCAN_DEV, argument);
  } finally {
    closeSync(fd);
  }
}
