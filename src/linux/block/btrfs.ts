import { closeSync, constants, openSync } from 'node:fs';
import { ioctl } from '../ioctl.ts';

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

/** BTRFS_IOC_GET_SUBVOL_INFO with a struct btrfs_ioctl_get_subvol_info_args; anybody may ask. */
const GET_SUBVOL_INFO = 0x81f8_943c;
const INFO_BYTES = 504;
const PARENT_UUID = { start: 312, end: 328 };

/**
 * Whether the subvolume of an open directory was made as a snapshot of another.
 * @throws SyscallError ENOTTY where it lies on no btrfs
 */
export function isSnapshot(fd: number, path: string): boolean {
  const info = new Uint8Array(INFO_BYTES);
  ioctl('BTRFS_IOC_GET_SUBVOL_INFO', path, fd, GET_SUBVOL_INFO, info);
  return info.subarray(PARENT_UUID.start, PARENT_UUID.end).some((byte) => byte !== 0);
}
