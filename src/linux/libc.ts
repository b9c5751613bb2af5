import { SyscallError } from './errno.ts';
import {
  bindFunctions,
  type Ffi,
  type FunctionSignature,
  type Functions,
  foreign,
  type Signatures,
  type WrappedFunction,
} from './foreign.ts';

/** What the C library is asked for; man 2 and man 3 describe each. Sizes and flags wider than 32 bits are u64. */
const SIGNATURES = {
  __errno_location: { arguments: [], return: 'pointer' },
  bind: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
  chroot: { arguments: ['string'], return: 'i32' },
  close: { arguments: ['i32'], return: 'i32' },
  close_range: { arguments: ['u32', 'u32', 'i32'], return: 'i32' },
  connect: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
  delete_module: { arguments: ['string', 'u32'], return: 'i32' },
  dup2: { arguments: ['i32', 'i32'], return: 'i32' },
  execve: { arguments: ['string', 'buffer', 'buffer'], return: 'i32' },
  fcntl: { arguments: ['i32', 'i32', 'u64'], return: 'i32' },
  getpagesize: { arguments: [], return: 'i32' },
  getsockname: { arguments: ['i32', 'buffer', 'buffer'], return: 'i32' },
  getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
  init_module: { arguments: ['buffer', 'u64', 'string'], return: 'i32' },
  ioctl: { arguments: ['i32', 'u64', 'u64'], return: 'i32' },
  lgetxattr: { arguments: ['buffer', 'buffer', 'buffer', 'u64'], return: 'i64' },
  llistxattr: { arguments: ['buffer', 'buffer', 'u64'], return: 'i64' },
  lseek: { arguments: ['i32', 'i64', 'i32'], return: 'i64' },
  lsetxattr: { arguments: ['buffer', 'buffer', 'buffer', 'u64', 'i32'], return: 'i32' },
  madvise: { arguments: ['u64', 'u64', 'i32'], return: 'i32' },
  memfd_create: { arguments: ['string', 'u32'], return: 'i32' },
  mincore: { arguments: ['u64', 'u64', 'buffer'], return: 'i32' },
  mknod: { arguments: ['buffer', 'u32', 'u64'], return: 'i32' },
  mlock2: { arguments: ['u64', 'u64', 'u32'], return: 'i32' },
  /** The address as a signed number: -1 is the error, and no mapping of a process is above 2^63. */
  mmap: { arguments: ['u64', 'u64', 'i32', 'i32', 'i32', 'i64'], return: 'i64' },
  mount: { arguments: ['string', 'string', 'string', 'u64', 'string'], return: 'i32' },
  munmap: { arguments: ['u64', 'u64'], return: 'i32' },
  posix_fadvise: { arguments: ['i32', 'i64', 'i64', 'i32'], return: 'i32' },
  prctl: { arguments: ['i32', 'u64', 'u64', 'u64', 'u64'], return: 'i32' },
  pthread_sigmask: { arguments: ['i32', 'buffer', 'pointer'], return: 'i32' },
  recv: { arguments: ['i32', 'buffer', 'u64', 'i32'], return: 'i64' },
  reboot: { arguments: ['i32'], return: 'i32' },
  sendto: { arguments: ['i32', 'buffer', 'u64', 'i32', 'buffer', 'u32'], return: 'i64' },
  sethostname: { arguments: ['string', 'u64'], return: 'i32' },
  setrlimit: { arguments: ['i32', 'buffer'], return: 'i32' },
  getrlimit: { arguments: ['i32', 'buffer'], return: 'i32' },
  /** The value by its address: the field sets one with every chunk, and bytes take time to be converted. */
  setsockopt: { arguments: ['i32', 'i32', 'i32', 'u64', 'u32'], return: 'i32' },
  signal: { arguments: ['i32', 'u64'], return: 'u64' },
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  socketpair: { arguments: ['i32', 'i32', 'i32', 'buffer'], return: 'i32' },
  sync: { arguments: [], return: 'void' },
  /** For what glibc has no function for; the arguments are those of finit_module. */
  syscall: { arguments: ['i64', 'i64', 'string', 'i64'], return: 'i64' },
  timer_create: { arguments: ['i32', 'buffer', 'buffer'], return: 'i32' },
  timer_settime: { arguments: ['u64', 'i32', 'buffer', 'u64'], return: 'i32' },
  umount2: { arguments: ['string', 'i32'], return: 'i32' },
} as const satisfies Signatures;

/** The C library's functions under their own names. */
export type Libc = Functions<typeof SIGNATURES>;

interface Opened {
  readonly ffi: Ffi;
  readonly libc: Libc;
  /** Where this thread's errno is; it stays there for the thread's life. */
  readonly errnoPointer: bigint;
}

let opened: Opened | undefined;

const NUL = Buffer.alloc(1);

function open(): Opened {
  if (opened === undefined) {
    const ffi = foreign();
    const libc = bindFunctions(new ffi.DynamicLibrary('libc.so.6'), SIGNATURES);
    opened = { ffi, libc, errnoPointer: libc.__errno_location() };
  }
  return opened;
}

/**
 * Calls the C library. A result of -1 becomes a SyscallError of `op` on `target`, with errno read at once: nothing of
 * JavaScript's runs in between. Opens the library at the first call (about 2 ms), so importing this costs nothing.
 */
export function call<R extends number | bigint>(op: string, target: string, fn: (libc: Libc) => R): R {
  const { ffi, libc, errnoPointer } = open();
  const result = fn(libc);
  if (Number(result) === -1) throw new SyscallError(op, target, ffi.getInt32(errnoPointer, 0));
  return result;
}

/** For calls that cannot fail or that return the error itself. */
export function libc(): Libc {
  return open().libc;
}

/** The address of the bytes, good for as long as the caller keeps them referenced. */
export function addressOf(bytes: Uint8Array): bigint {
  return open().ffi.getRawPointer(bytes);
}

/** A NUL-terminated string as C takes it; of bytes where a name may be in any encoding. */
export function cString(text: string | Uint8Array): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  if (bytes.includes(0)) {
    throw new TypeError(`${JSON.stringify(String(text))} has a NUL, which no system call can take`);
  }
  return Buffer.concat([bytes, NUL]);
}

/** A function that this executable exports itself, such as OpenSSL's; undefined when it is not there. */
export function ownFunction(name: string, signature: FunctionSignature): WrappedFunction | undefined {
  try {
    return new (open().ffi.DynamicLibrary)(null).getFunction(name, signature);
  } catch {
    return undefined; // a Node that is linked with OpenSSL as a library of the system's
  }
}
