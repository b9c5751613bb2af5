/*
 * Gives process 1 its standard streams when the kernel could not: it opens /dev/console for them, and where no console
 * can be opened (console=hvc0 before its driver, a serial port that is not there) 0, 1 and 2 are closed. Node ends at once
 * then unless it can open /dev/null, and the kernel panics when process 1 ends. The node is made here when the archive
 * was packed again by somebody who may not make nodes.
 *
 * Preloaded as early-random.so is; it has no libc of its own and needs no header.
 */
enum { AT_FDCWD = -100, O_RDWR = 2, F_GETFD = 1, S_IFCHR = 0020000, NULL_DEVICE = (1 << 8) | 3 };
#if defined(__x86_64__)
enum { SYS_FCNTL = 72, SYS_GETPID = 39, SYS_OPENAT = 257, SYS_MKNODAT = 259 };

static long kernel(long number, long a, long b, long c, long d) {
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return number;
}
#elif defined(__aarch64__)
enum { SYS_FCNTL = 25, SYS_GETPID = 172, SYS_OPENAT = 56, SYS_MKNODAT = 33 };

static long kernel(long number, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#else
#error "early-streams.c: system calls of this architecture are not written yet"
#endif

__attribute__((constructor)) static void open_standard_streams(void) {
  static const char path[] = "/dev/null";
  if (kernel(SYS_GETPID, 0, 0, 0, 0) != 1) return;
  for (int fd = 0; fd <= 2; fd++) {
    if (kernel(SYS_FCNTL, fd, F_GETFD, 0, 0) >= 0) continue;
    /* The lowest free descriptor is this one: those below are open. */
    if (kernel(SYS_OPENAT, AT_FDCWD, (long)path, O_RDWR, 0) >= 0) continue;
    kernel(SYS_MKNODAT, AT_FDCWD, (long)path, S_IFCHR | 0666, NULL_DEVICE);
    kernel(SYS_OPENAT, AT_FDCWD, (long)path, O_RDWR, 0);
  }
}
