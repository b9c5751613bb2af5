import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { bytes, encode, padding, struct, u32le, u64le } from '../../codec/struct.ts';
import { hasCode } from '../errno.ts';
import { ioctl } from '../ioctl.ts';

/** include/uapi/linux/loop.h */
const LOOP = {
  SET_FD: 0x4c00,
  CLR_FD: 0x4c01,
  SET_STATUS64: 0x4c04,
  SET_DIRECT_IO: 0x4c08,
  SET_BLOCK_SIZE: 0x4c09,
  CONFIGURE: 0x4c0a,
  CTL_GET_FREE: 0x4c82,
} as const;
const LO_FLAGS = { READ_ONLY: 1, AUTOCLEAR: 4, PARTSCAN: 8, DIRECT_IO: 16 } as const;
const LO_NAME_SIZE = 64;

/** struct loop_config with its struct loop_info64. */
const loopConfig = struct('loop_config', [
  ['fd', u32le],
  ['blockSize', u32le],
  ['device', padding(8)],
  ['inode', padding(8)],
  ['rdevice', padding(8)],
  ['offset', u64le],
  ['sizeLimit', u64le],
  ['number', padding(4)],
  ['encryptType', padding(4)],
  ['encryptKeySize', padding(4)],
  ['flags', u32le],
  ['fileName', bytes(LO_NAME_SIZE)],
  ['cryptName', padding(LO_NAME_SIZE)],
  ['encryptKey', padding(32)],
  ['init', padding(16)],
  ['reserved', padding(64)],
]);

/** Others take free devices too, between our asking and our taking. */
const ATTEMPTS = 50;

export interface LoopRequest {
  /** The file or block device behind it. */
  readonly file: string;
  /** Default true. */
  readonly readOnly?: boolean;
  /**
   * Reads go past the file's page cache, so nothing is cached twice. Taken where the file system can, ignored where
   * not: see LoopDevice.directIo. Default true.
   */
  readonly directIo?: boolean;
  /** The device goes with its last user, for instance the mount on it. Default false. */
  readonly autoclear?: boolean;
  /** Bytes of the file before the device begins. Default 0. */
  readonly offset?: number;
  /** Bytes of the device; 0, the default, is all of the file. */
  readonly sizeLimit?: number;
  /** Logical block size of the device in bytes, 512 to 4096; 0, the default, leaves it to the kernel. */
  readonly blockSize?: number;
  /** Partitions become devices too. Default false. */
  readonly partitions?: boolean;
}

export interface LoopDevice extends Disposable {
  /** `/dev/loop3` */
  readonly path: string;
  /** `loop3` */
  readonly name: string;
  readonly directIo: boolean;
  /**
   * Lets go of the device but leaves it to its other users. Until this (or detach) is called it is held open, so that
   * an autoclear device is not gone before it is mounted.
   */
  release(): void;
  /** Takes the file from the device; while others use it, the kernel does so when the last one is gone. */
  detach(): void;
}

function flagsOf(request: LoopRequest): number {
  const { readOnly = true, directIo = true, autoclear = false, partitions = false } = request;
  return (
    (readOnly ? LO_FLAGS.READ_ONLY : 0) |
    (directIo ? LO_FLAGS.DIRECT_IO : 0) |
    (autoclear ? LO_FLAGS.AUTOCLEAR : 0) |
    (partitions ? LO_FLAGS.PARTSCAN : 0)
  );
}

/** What LOOP_CONFIGURE is told; `fd` is the open file's. */
export function encodeLoopConfig(request: LoopRequest, fd: number): Uint8Array {
  const fileName = new Uint8Array(LO_NAME_SIZE);
  // Only shown (losetup, sysfs); the last byte stays NUL.
  fileName.set(Buffer.from(request.file).subarray(0, LO_NAME_SIZE - 1));
  const { offset = 0, sizeLimit = 0, blockSize = 0 } = request;
  return encode(loopConfig, { fd, blockSize, offset, sizeLimit, flags: flagsOf(request), fileName });
}

function freeDevice(): string {
  const control = openSync('/dev/loop-control', constants.O_RDWR);
  try {
    return `loop${ioctl('LOOP_CTL_GET_FREE', '/dev/loop-control', control, LOOP.CTL_GET_FREE, 0)}`;
  } finally {
    closeSync(control);
  }
}

/** Where struct loop_info64 begins in struct loop_config, and how long it is. */
const INFO = { start: 8, end: 8 + 232 };

/** As a test may have it answered; ioctl.ts is the real one. */
export type LoopControl = typeof ioctl;

/** Linux before 5.8 takes a file in several calls, and what it does not know of LOOP_CONFIGURE is EINVAL. */
function configureInSteps(
  target: string,
  fd: number,
  request: LoopRequest,
  fileFd: number,
  control: LoopControl,
): void {
  control('LOOP_SET_FD', target, fd, LOOP.SET_FD, fileFd);
  try {
    if (request.blockSize) control('LOOP_SET_BLOCK_SIZE', target, fd, LOOP.SET_BLOCK_SIZE, request.blockSize);
    const info = encodeLoopConfig({ ...request, directIo: false }, fileFd).subarray(INFO.start, INFO.end);
    control('LOOP_SET_STATUS64', target, fd, LOOP.SET_STATUS64, info);
  } catch (error) {
    control('LOOP_CLR_FD', target, fd, LOOP.CLR_FD, 0);
    throw error;
  }
  if (request.directIo === false) return;
  try {
    control('LOOP_SET_DIRECT_IO', target, fd, LOOP.SET_DIRECT_IO, 1);
  } catch (error) {
    // Taken where the file system can: LoopDevice.directIo says whether.
    if (!hasCode(error, 'EINVAL')) throw error;
  }
}

function configureAtOnce(target: string, fd: number, request: LoopRequest, fileFd: number, control: LoopControl): void {
  try {
    control('LOOP_CONFIGURE', target, fd, LOOP.CONFIGURE, encodeLoopConfig(request, fileFd));
  } catch (error) {
    if (!hasCode(error, 'EINVAL', 'ENOTTY')) throw error;
    configureInSteps(target, fd, request, fileFd, control);
  }
}

/** Gives the device's open descriptor, or undefined when another took the device first. */
function configure(name: string, request: LoopRequest, fileFd: number, control: LoopControl): number | undefined {
  const access = request.readOnly === false ? constants.O_RDWR : constants.O_RDONLY;
  const fd = openSync(`/dev/${name}`, access);
  try {
    configureAtOnce(`${request.file} on /dev/${name}`, fd, request, fileFd, control);
    return fd;
  } catch (error) {
    closeSync(fd);
    if (hasCode(error, 'EBUSY')) return undefined;
    throw error;
  }
}

function loopDevice(name: string, fd: number): LoopDevice {
  const path = `/dev/${name}`;
  let held = true;
  const release = () => {
    if (held) closeSync(fd);
    held = false;
  };
  return {
    path,
    name,
    directIo: readFileSync(`/sys/block/${name}/loop/dio`, 'utf8').trim() === '1',
    release,
    detach() {
      if (!held) throw new Error(`detach ${path}: already released`);
      try {
        ioctl('LOOP_CLR_FD', path, fd, LOOP.CLR_FD, 0);
      } finally {
        release();
      }
    },
    [Symbol.dispose]: release,
  };
}

/**
 * Makes a block device of a file: by LOOP_CONFIGURE (Linux 5.8), or by the older calls where the kernel has only those.
 * @throws SyscallError, or node:fs's error when the file cannot be opened
 */
export function attachLoop(request: LoopRequest, control: LoopControl = ioctl): LoopDevice {
  const access = request.readOnly === false ? constants.O_RDWR : constants.O_RDONLY;
  const fileFd = openSync(request.file, access);
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const name = freeDevice();
      const fd = configure(name, request, fileFd, control);
      if (fd !== undefined) return loopDevice(name, fd);
    }
    throw new Error(`attach ${request.file}: every free loop device was taken by others, ${ATTEMPTS} times`);
  } finally {
    closeSync(fileFd);
  }
}

/** Takes the file from a loop device by its path; while the device is in use, when its last user is gone. */
export function detachLoop(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    ioctl('LOOP_CLR_FD', path, fd, LOOP.CLR_FD, 0);
  } finally {
    closeSync(fd);
  }
}
