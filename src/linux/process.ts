import { closeSync, constants, fstatSync, openSync, readdirSync } from 'node:fs';
import { encode, struct, u64le } from '../codec/struct.ts';
import { hasCode } from './errno.ts';
import { addressOf, call, cString, libc } from './libc.ts';

const SIGNAL_COUNT = 64;
const SIG_DFL = 0n;
const SIG_IGN = 1n;
const SIGPIPE = 13;
const SIGCONT = 18;
const SIGXFSZ = 25;
const SIG_SETMASK = 2;
const CLOSE_RANGE_CLOEXEC = 4;
/** include/uapi/linux/fcntl.h */
const F_SETFD = 2;
const FD_CLOEXEC = 1n;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const RLIMIT_NOFILE = 7;
/** INR_OPEN_CUR, include/uapi/linux/fs.h: what the kernel gives its first process. */
const KERNEL_OPEN_FILES = 1024;
const KERNEL_UMASK = 0o022;
const PR_SET_IO_FLUSHER = 57;

/** chroot(2). The working directory stays where it is: follow with process.chdir('/'). */
export function chroot(path: string): void {
  call('chroot', path, (c) => c.chroot(path));
}

/** Every signal's default action and nothing blocked. Node ignores SIGPIPE and SIGXFSZ, and exec keeps what is ignored. */
function resetSignals(): void {
  const c = libc();
  // 32 and 33 belong to glibc's threads, which refuses them here; they are caught, so exec resets them.
  for (let signal = 1; signal <= SIGNAL_COUNT; signal++) c.signal(signal, SIG_DFL);
  c.pthread_sigmask(SIG_SETMASK, new Uint8Array(SIGNAL_COUNT / 8), null);
}

/**
 * Node marks 0, 1 and 2 to be closed by exec, and libuv makes pipes and terminals non-blocking, which belongs to the
 * open file: the next program would see both.
 */
function handOverStandardStreams(): void {
  const c = libc();
  for (const fd of [0, 1, 2]) {
    const flags = c.fcntl(fd, F_GETFL, 0n);
    if (flags === -1) continue;
    c.fcntl(fd, F_SETFD, 0n);
    c.fcntl(fd, F_SETFL, BigInt(flags & ~O_NONBLOCK));
  }
}

/** Major 1, minor 3, as makedev(3) puts them together. */
const NULL_DEVICE = (1 << 8) | 3;

function leadsNowhere(fd: number): boolean {
  try {
    return fstatSync(fd).rdev === NULL_DEVICE;
  } catch {
    return true; // closed
  }
}

/**
 * Gives the console as standard streams to what is executed next, where the kernel had none when it started this
 * process. A console that cannot be opened now either changes nothing.
 */
export function useConsole(path = '/dev/console'): void {
  const lost = [0, 1, 2].filter(leadsNowhere);
  if (lost.length === 0) return;
  let console: number;
  try {
    console = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  } catch {
    return; // nobody sits there
  }
  for (const fd of lost) call('dup2', path, (c) => c.dup2(console, fd));
  if (console > 2) closeSync(console);
}

const rlimit = struct('rlimit', [
  ['soft', u64le],
  ['hard', u64le],
]);

/** Node raises its soft limit to the hard one; programs that use select(2) rely on the 1024 the kernel starts with. */
function restoreOpenFileLimit(): void {
  const limit = new Uint8Array(rlimit.size);
  call('getrlimit', 'RLIMIT_NOFILE', (c) => c.getrlimit(RLIMIT_NOFILE, limit));
  const [{ soft, hard }] = rlimit.read(limit, 0);
  const lowered = encode(rlimit, { soft: Math.min(soft, KERNEL_OPEN_FILES), hard });
  call('setrlimit', 'RLIMIT_NOFILE', (c) => c.setrlimit(RLIMIT_NOFILE, lowered));
}

/** An array of C strings ended by NULL, and what must stay referenced while it is in use. */
function stringArray(values: readonly string[]): { pointers: Uint8Array; strings: readonly Uint8Array[] } {
  const strings = values.map(cString);
  const pointers = new BigUint64Array(strings.length + 1);
  for (const [i, string] of strings.entries()) pointers[i] = addressOf(string);
  return { pointers: new Uint8Array(pointers.buffer), strings };
}

/** Of descriptors from `first` on, none goes on to the next program. */
export function closeOnExec(first: number, atOnce: (first: number) => void = closeRangeOnExec): void {
  try {
    atOnce(first);
  } catch (error) {
    // Linux before 5.9 has no close_range, before 5.11 not with this flag.
    if (!hasCode(error, 'ENOSYS', 'EINVAL')) throw error;
    closeOnExecOneByOne(first);
  }
}

function closeRangeOnExec(first: number): void {
  call('close_range', `descriptors from ${first}`, (c) => c.close_range(first, 0xffff_ffff, CLOSE_RANGE_CLOEXEC));
}

function closeOnExecOneByOne(first: number): void {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    if (fd < first) continue;
    try {
      call('fcntl', `descriptor ${fd}`, (c) => c.fcntl(fd, F_SETFD, FD_CLOEXEC));
    } catch (error) {
      // the one that the list was read through
      if (!hasCode(error, 'EBADF')) throw error;
    }
  }
}

/**
 * execve(2): this process becomes the program at `path`, as if the kernel had started it: default signals, no descriptor
 * but 0, 1, 2, blocking standard streams, umask 022, 1024 open files.
 * @param argv with the program's own name first
 * @throws SyscallError when the program cannot be run; signals are then as Node wants them again
 */
export function exec(path: string, argv: readonly string[], env: Readonly<Record<string, string>>): never {
  const args = stringArray(argv);
  const variables = stringArray(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  closeOnExec(3);
  handOverStandardStreams();
  restoreOpenFileLimit();
  process.umask(KERNEL_UMASK);
  resetSignals();
  try {
    call('exec', path, (c) => c.execve(path, args.pointers, variables.pointers));
  } finally {
    for (const signal of [SIGPIPE, SIGXFSZ]) libc().signal(signal, SIG_IGN);
  }
  // Unreachable, but it keeps the strings alive until the call is over.
  throw new Error(`exec ${path} returned ${args.strings.length + variables.strings.length}`);
}

export function setHostname(name: string): void {
  const bytes = BigInt(Buffer.byteLength(name));
  call('sethostname', name, (c) => c.sethostname(name, bytes));
}

/**
 * For a process that a block device's I/O goes through: the kernel then never waits for that device to give it memory
 * (PR_SET_IO_FLUSHER, prctl(2); CAP_SYS_RESOURCE).
 */
export function becomeIoFlusher(): void {
  call('prctl', 'PR_SET_IO_FLUSHER', (c) => c.prctl(PR_SET_IO_FLUSHER, 1n, 0n, 0n, 0n));
}

const CLOCK_MONOTONIC = 1;
/** struct sigevent (include/uapi/asm-generic/siginfo.h): 64 bytes, the signal at 8, SIGEV_SIGNAL is 0. */
const SIGEVENT_BYTES = 64;
const SIGEVENT_SIGNAL = 8;

/**
 * Lets a stopped process go on by itself: a timer of the kernel's sends it SIGCONT, which works in that state too. Who
 * ends a machine stops all processes for a moment (systemd-shutdown and killall5: `kill(-1, SIGSTOP)`) and reads files
 * meanwhile: a daemon that gives those files would be waited for, for ever.
 * The timer lives as long as the process.
 */
export function continueWhenStopped(everyMs: number): void {
  // an ignored signal would take the timer with it (kernels from 6.13 on)
  process.on('SIGCONT', () => {});
  const event = Buffer.alloc(SIGEVENT_BYTES);
  event.writeInt32LE(SIGCONT, SIGEVENT_SIGNAL);
  const id = Buffer.alloc(8);
  call('timer_create', 'SIGCONT', (c) => c.timer_create(CLOCK_MONOTONIC, event, id));
  // struct itimerspec: interval and first time, seconds and nanoseconds each
  const times = Buffer.alloc(32);
  for (const at of [0, 16]) {
    times.writeBigInt64LE(BigInt(Math.floor(everyMs / 1000)), at);
    times.writeBigInt64LE(BigInt((everyMs % 1000) * 1_000_000), at + 8);
  }
  call('timer_settime', 'SIGCONT', (c) => c.timer_settime(id.readBigUInt64LE(), 0, times, 0n));
}
