/**
 * A machine of 512 MB, on which Debian comes to its login from a medium and by network (test/vm/memory.test.ts,
 * test/long/memory.test.ts), has about 457 MiB by the kernel's count; one that shares its memory with the screen, less.
 */
const ENOUGH_MIB = 420;

/**
 * What a person should know before a system runs out of memory. An archive that did not fit is told of by
 * initrd/sbin/init, since /init is not started then.
 * @param totalBytes MemTotal of /proc/meminfo
 */
export function warnOfLittleMemory(totalBytes: number): string | undefined {
  const mebibytes = Math.floor(totalBytes / 2 ** 20);
  if (mebibytes >= ENOUGH_MIB) return undefined;
  return `this machine has ${mebibytes} MB of memory, and 512 are needed for most systems: it may not come to its login`;
}
