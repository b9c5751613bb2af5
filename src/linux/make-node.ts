import { call, cString } from './libc.ts';

/** S_IFIFO and the others, include/uapi/linux/stat.h. */
const TYPES = { fifo: 0o010000, character: 0o020000, block: 0o060000, socket: 0o140000 } as const;

/**
 * Makes a device, a FIFO or a socket with mode 0600, mknod(2). Devices only root can make.
 * @throws SyscallError
 */
export function makeNode(
  path: string | Uint8Array,
  kind: keyof typeof TYPES,
  device: { readonly major: number; readonly minor: number } = { major: 0, minor: 0 },
): void {
  const target = String(path);
  const cPath = cString(path);
  call('mknod', target, (c) => c.mknod(cPath, TYPES[kind] | 0o600, deviceNumber(device.major, device.minor)));
}

/** As glibc's makedev(3) puts them together. */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}
