import { closeSync, constants, openSync } from 'node:fs';
import { decode, u64le } from '../../codec/struct.ts';
import { SyscallError } from '../errno.ts';
import { ioctl } from '../ioctl.ts';

/** include/uapi/linux/cdrom.h and fs.h */
const CDROM_DRIVE_STATUS = 0x5326;
const CDSL_CURRENT = 0x7fff_ffff;
const CDS = { NO_DISC: 1, TRAY_OPEN: 2, DRIVE_NOT_READY: 3 } as const;
const BLKGETSIZE64 = 0x8008_1272;

const ENOMEDIUM = 123;
const EAGAIN = 11;

/**
 * Asks a drive whether a medium is in it, which reads nothing of the medium, so that the kernel complains of nothing;
 * the kernel also notices by it that the medium was changed. May take as long as the drive takes to answer.
 * @throws SyscallError: ENOMEDIUM when there is none, EAGAIN when a disc is just coming up
 */
export function requireMedium(path: string, isCd: boolean): void {
  // non-blocking: a drive without a medium is opened too
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (isCd) {
      const status = ioctl('CDROM_DRIVE_STATUS', path, fd, CDROM_DRIVE_STATUS, CDSL_CURRENT);
      if (status === CDS.NO_DISC || status === CDS.TRAY_OPEN)
        throw new SyscallError('CDROM_DRIVE_STATUS', path, ENOMEDIUM);
      if (status === CDS.DRIVE_NOT_READY) throw new SyscallError('CDROM_DRIVE_STATUS', path, EAGAIN);
      return;
    }
    const size = new Uint8Array(u64le.size);
    ioctl('BLKGETSIZE64', path, fd, BLKGETSIZE64, size);
    if (decode(u64le, size) === 0) throw new SyscallError('BLKGETSIZE64', path, ENOMEDIUM);
  } finally {
    closeSync(fd);
  }
}
