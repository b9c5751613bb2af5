import { readFileSync, writeSync } from 'node:fs';
import { u32le } from '../codec/struct.ts';
import { ioctl } from './ioctl.ts';

/** Requests of tty_ioctl(4), include/uapi/asm-generic/ioctls.h. */
const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TCFLSH = 0x540b;
const TCIFLUSH = 0;

/** The kernel's struct termios: four words of flags, the line discipline, 19 control characters. */
const TERMIOS_BYTES = 36;
const LOCAL_FLAGS = 12;
const ICANON = 0o2;
const ECHO = 0o10;
const CONTROL_CHARACTERS = 17;
const VTIME = 5;
const VMIN = 6;

/**
 * Whether anybody can be reached by an open terminal. One that the kernel names but that is not there, such as a serial
 * port without its chip, opens well; every write to it, also of nothing, fails with EIO.
 */
export function terminalWorks(path: string, fd: number): boolean {
  try {
    writeSync(fd, new Uint8Array(0));
    ioctl('TCGETS', path, fd, TCGETS, new Uint8Array(TERMIOS_BYTES));
    return !isUnknownSerialPort(path);
  } catch {
    return false; // that is the answer: EIO, ENOTTY
  }
}

/** serial_core's PORT_UNKNOWN: nothing was found at the port's address. */
function isUnknownSerialPort(path: string): boolean {
  try {
    return readFileSync(`/sys/class/tty/${path.slice(path.lastIndexOf('/') + 1)}/type`, 'utf8').trim() === '0';
  } catch {
    return false; // no serial port
  }
}

/**
 * Makes a terminal give each key as it is pressed, without echo; what was typed before is forgotten, and a read without
 * a key gives nothing at once.
 * @returns puts the terminal back as it was
 * @throws SyscallError when it is no terminal or has gone
 */
export function readKeys(path: string, fd: number): Disposable {
  const before = new Uint8Array(TERMIOS_BYTES);
  ioctl('TCGETS', path, fd, TCGETS, before);
  const raw = before.slice();
  const [flags] = u32le.read(raw, LOCAL_FLAGS);
  u32le.write((flags & ~(ICANON | ECHO)) >>> 0, raw, LOCAL_FLAGS);
  raw[CONTROL_CHARACTERS + VTIME] = 0;
  raw[CONTROL_CHARACTERS + VMIN] = 0;
  ioctl('TCSETS', path, fd, TCSETS, raw);
  ioctl('TCFLSH', path, fd, TCFLSH, TCIFLUSH);
  return { [Symbol.dispose]: () => void ioctl('TCSETS', path, fd, TCSETS, before) };
}
