/*
 * Starts Node before the kernel's random number generator is ready.
 *
 * V8 wants a few random bytes at its start, for its address layout and its hash tables, and libuv gets them by
 * syscall(SYS_getrandom, ..., 0), which waits until the generator has its 256 bits. On a machine without RDRAND the
 * kernel gathers one a timer tick: over a second, before /init has done anything. GRND_INSECURE (Linux 5.6) gives at
 * once what the pool has by then, which is what it is for; systemd seeds its hash tables that way too.
 *
 * Keys and nonces are not touched: OpenSSL asks by getentropy(), which still waits. /etc/ld.so.preload names this
 * library, so it holds for the initrd's programs only. It has no libc of its own and needs no header.
 */
enum { GRND_INSECURE = 4, EINVAL = 22 };
#if defined(__aarch64__)
enum { SYS_GETRANDOM = 278 };
#else
enum { SYS_GETRANDOM = 318 };
#endif

extern int *__errno_location(void);

static long kernel(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return number;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
#error "early-random.c: system calls of this architecture are not written yet"
#endif
}

/* In place of libc's own, with its contract: -1 and errno on failure. */
long syscall(long number, long a, long b, long c, long d, long e, long f) {
  long result = -EINVAL;
  if (number == SYS_GETRANDOM && c == 0) result = kernel(number, a, b, GRND_INSECURE, d, e, f);
  if (result == -EINVAL) result = kernel(number, a, b, c, d, e, f); /* any other call, or a kernel before 5.6 */
  if (result >= 0 || result < -4095) return result;
  *__errno_location() = (int)-result;
  return -1;
}
